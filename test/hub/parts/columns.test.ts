import { expect, it } from 'vitest';
import type { PlacedNote } from '../../../src/hub/cache/segments.ts';
import { isKeepable } from '../../../src/hub/parts/columns.ts';
import { zeroHistograms } from '../../../src/partial/partial-histograms.ts';
import { rangeGrid } from '../../../src/model/grid.ts';
import { distribute } from '../../../src/plan/distribute.ts';
import type { AnswerRow } from '../../../src/plan/frames/columns-codec.ts';
import { parseExpr } from '../../../src/promql/parse.ts';

const PRESENT = Uint8Array.of(1, 1);
const FLOATS: AnswerRow = { labels: [], columns: { present: PRESENT, fields: [Float64Array.of(1, 2)] } };

function native(clashing: readonly string[]): AnswerRow {
  const histograms = { ...zeroHistograms(PRESENT), clashing: [...clashing] };
  return { ...FLOATS, columns: { ...FLOATS.columns, histograms } };
}

function noted(detail: object): PlacedNote {
  return { note: { code: 'start_time_overlap', args: ['x'], ...detail }, node: 0 } as unknown as PlacedNote;
}

it.each<[string, string, readonly AnswerRow[], readonly PlacedNote[], boolean]>([
  ['floats of any metrics', 'sum({job="a"})', [FLOATS], [], true],
  ['histograms of one metric', 'sum(x)', [native([])], [], true],
  ['those of several, which are named together', 'sum({job="a"})', [FLOATS, native([])], [], false],
  ['those that did not add up', 'sum(x)', [native(['x'])], [], false],
  ['what is said of all steps alike', 'sum(x)', [FLOATS], [noted({})], true],
  ['what is said in numbers', 'sum(x)', [FLOATS], [noted({ detail: { kind: 'overlap', samples: 2 } })], false],
  ['more notes than there can be', 'sum(x)', [FLOATS], Array.from({ length: 1000 }, () => noted({})), false],
])('%s', (_what, text, rows, notes, want) => {
  const { fragments } = distribute(parseExpr(text), rangeGrid(0, 1000, 1000), { domainLabel: 'domain' });
  expect(isKeepable(fragments[0]!, { rows, notes })).toBe(want);
});
