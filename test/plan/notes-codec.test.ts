import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/base/limits.ts';
import { startNotes, type Note } from '../../src/engine/notes.ts';
import { decodeNotes, encodeNotes, type NoteMessage } from '../../src/plan/frames/notes-codec.ts';
import { preorder } from '../../src/plan/frames/preorder.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { randomFrom } from '../random.ts';
import { randomNote } from './random-frames.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const TEXT = 'topk(3, rate(x[5m]) + y)';
const NODES = preorder(parseExpr(TEXT));

it('a note stands where its node stands in the text of whoever asked', () => {
  const at = (node: number): string => {
    const [note] = decodeNotes([{ code: 'sort_in_range_query', arguments: [], node }], NODES);
    return TEXT.slice(note!.span.start, note!.span.end);
  };
  expect(NODES.map((_, index) => at(index))).toEqual([TEXT, '3', 'rate(x[5m]) + y', 'rate(x[5m])', 'x[5m]', 'x', 'y']);
});

it('a note on a subquery stands at the beginning of the text, wherever its fragment is', () => {
  const nowhere: Note = { level: 'info', code: 'native_not_gauge', args: ['x'], span: { start: 0, end: 0 } };
  const inner = preorder(parseExpr('1 + x')).slice(2);
  expect(decodeNotes(encodeNotes([nowhere]), inner)).toEqual([{ ...nowhere, level: 'warning' }]);
  const root = { ...nowhere, span: { start: 0, end: 1 } };
  expect(decodeNotes(encodeNotes([root]), inner)[0]!.span).toEqual({ start: 4, end: 5 });
});

it(`notes come back as they went (seed ${SEED})`, () => {
  const random = randomFrom(SEED);
  for (let i = 0; i < 200; i++) {
    const note = randomNote(random, NODES.length);
    const [read] = decodeNotes(encodeNotes([note]), NODES);
    expect(read).toEqual({ ...note, span: NODES[note.span.start]!.span });
  }
});

it('equal notes of several domains are one note', () => {
  const notes = startNotes();
  const overlap: Note = {
    level: 'warning',
    code: 'start_time_overlap',
    args: ['x'],
    span: { start: 5, end: 6 },
    detail: { kind: 'overlap', samples: 2 },
  };
  for (let domain = 0; domain < 3; domain++)
    for (const note of decodeNotes(encodeNotes([overlap]), NODES)) notes.add(note);
  expect(notes.list()).toEqual([{ ...overlap, span: NODES[5]!.span, detail: { kind: 'overlap', samples: 6 } }]);
});

describe('a note that no agent of this version makes is refused', () => {
  const monotonicity = { fromMs: 0, toMs: 0, leastBound: 1, mostBound: 2, mostDifference: 3, samples: 1 };
  const text = (value: string) => ({ text: value });

  it.each<[string, Partial<NoteMessage>]>([
    ['its code', { code: 'your_data_is_gone' }],
    ['its code', { code: 'toString' }],
    ['its arguments', { arguments: [] }],
    ['its arguments', { arguments: [text('x'), text('y')] }],
    ['its arguments', { arguments: [{}] }],
    ['its arguments', { arguments: [{ number: 1 }] }],
    ['its arguments', { arguments: [text('x'.repeat(LIMITS.labelBytes + 1))] }],
    ['its arguments', { code: 'ignored_in_aggregation', arguments: [text('call 555-1234')] }],
    ['its arguments', { code: 'invalid_quantile', arguments: [text('2')] }],
    ['its node', { node: NODES.length }],
    ['its detail', { overlaps: 1 }],
    ['its detail', { monotonicity }],
    ['its samples', { code: 'start_time_overlap', overlaps: 0 }],
    ['its samples', { code: 'start_time_overlap', overlaps: NaN }],
    ['its samples', { code: 'forced_monotonicity', monotonicity: { ...monotonicity, samples: 0.5 } }],
    ['its times', { code: 'forced_monotonicity', monotonicity: { ...monotonicity, toMs: 2 ** 53 } }],
    ['its times', { code: 'forced_monotonicity', monotonicity: { ...monotonicity, fromMs: -(2 ** 60) } }],
  ])('%s (%#)', (what, change) => {
    const good: NoteMessage = { code: 'possible_non_counter', arguments: [text('x')], node: 1 };
    expect(() => decodeNotes([good], NODES)).not.toThrow();
    expect(() => decodeNotes([{ ...good, ...change }], NODES)).toThrow(
      expect.objectContaining({ code: 'bad_data', message: `malformed Note: ${what}` }),
    );
  });
});
