import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { expect, test } from 'vitest';
import { CUSTOM_BUCKETS, GAUGE, type NativeHistogram } from '../../src/model/histogram.ts';
import { labelsFrom, labelsRecord, withLabel, type Labels } from '../../src/model/labels.ts';
import type {
  Command,
  Evaluate,
  Expected,
  ExpectedSeries,
  NotesExpected,
  SequenceValue,
  TextMatch,
} from '../../src/promqltest/command.ts';
import { parseScript } from '../../src/promqltest/parse-script.ts';
import { runScript } from '../../src/promqltest/run-script.ts';
import { NAMES_AT_ONCE_SCRIPTS, OWN_SCRIPTS, scriptFeatures, withDatabase } from './scripts.ts';

/*
 * A test that cannot fail says nothing. Here every expectation of every script of the project is made wrong in every way
 * that the language has, one at a time, and each must make its evaluation fail.
 */
test.each([
  ['the scripts of the project', OWN_SCRIPTS, scriptFeatures()],
  ['the scripts for names that go at once', NAMES_AT_ONCE_SCRIPTS, scriptFeatures('promql-delayed-name-removal')],
] as const)('what is made wrong in %s is found', { timeout: 120_000 }, async (_, files, features) => {
  const missed: string[] = [];
  let wrong = 0;
  await withDatabase(0, features, async (database) => {
    const passes = async (command: Command): Promise<boolean> =>
      (await runScript([command], database)).failures.length === 0;
    for (const file of files) {
      await database.clear();
      for (const command of parseScript(basename(file), readFileSync(file, 'utf8'), features)) {
        if (command.kind !== 'evaluate') {
          await runScript([command], database);
          continue;
        }
        for (const [what, changed] of perturbed(command)) {
          wrong++;
          if (await passes(changed)) missed.push(`${basename(file)}:${command.line.number}: ${command.query}: ${what}`);
        }
        // What nothing is expected of may have notes or none: just one of the two expectations holds.
        for (const level of ['warnings', 'infos'] as const) {
          if (command[level].kind !== 'any' || command.expected.kind === 'failure') continue;
          wrong++;
          const some = await passes({ ...command, [level]: SOME });
          const none = await passes({ ...command, [level]: { kind: 'none' } });
          if (some === none) missed.push(`${basename(file)}:${command.line.number}: ${command.query}: ${level}`);
        }
      }
    }
  });
  expect(missed).toEqual([]);
  expect(wrong).toBeGreaterThan(files.length * 10);
});

type Perturbation = readonly [what: string, command: Evaluate];

function* perturbed(command: Evaluate): Iterable<Perturbation> {
  const { expected, warnings, infos } = command;
  for (const [what, wrong] of expectedPerturbed(expected, command)) yield [what, { ...command, expected: wrong }];
  if (expected.kind === 'failure') return;
  for (const [what, wrong] of notesPerturbed(warnings)) yield [`warnings: ${what}`, { ...command, warnings: wrong }];
  for (const [what, wrong] of notesPerturbed(infos)) yield [`infos: ${what}`, { ...command, infos: wrong }];
  yield ['an error', { ...command, expected: { kind: 'failure', texts: [] } }];
}

const SOME: NotesExpected = { kind: 'some', texts: [{ kind: 'any', text: '', matches: () => true }] };

function* notesPerturbed(notes: NotesExpected): Iterable<readonly [string, NotesExpected]> {
  if (notes.kind === 'none') yield ['some rather than none', SOME];
  if (notes.kind !== 'some') return;
  yield ['none rather than some', { kind: 'none' }];
  for (const [i, text] of notes.texts.entries()) {
    if (notes.texts.length > 1) yield [`without ${text.text}`, { kind: 'some', texts: notes.texts.toSpliced(i, 1) }];
    if (text.kind === 'any') continue;
    const other = otherText(text);
    yield [`another text than ${text.text}`, { kind: 'some', texts: notes.texts.with(i, other) }];
    yield [`one more than ${text.text}`, { kind: 'some', texts: [...notes.texts, { ...text, matches: () => false }] }];
  }
}

function otherText(text: TextMatch): TextMatch {
  return { ...text, matches: (found) => (text.kind === 'msg' ? found === `${text.text}.` : !text.matches(found)) };
}

function* expectedPerturbed(expected: Expected, command: Evaluate): Iterable<readonly [string, Expected]> {
  switch (expected.kind) {
    case 'failure':
      yield ['no failure', { kind: 'series', series: [], ordered: false, range: undefined }];
      for (const [i, text] of expected.texts.entries()) {
        if (text.kind === 'any') continue;
        yield ['another error', { ...expected, texts: expected.texts.with(i, otherText(text)) }];
      }
      return;
    case 'string':
      yield ['another string', { ...expected, value: `${expected.value} ` }];
      yield ['a number', { kind: 'scalar', value: { kind: 'float', value: Number(expected.value) } }];
      return;
    case 'scalar':
      for (const [what, value] of valuesPerturbed(expected.value)) yield [what, { ...expected, value }];
      yield ['a vector', { kind: 'series', series: [], ordered: false, range: undefined }];
      return;
    case 'series': {
      const isMatrix = command.when.kind === 'range' || expected.range !== undefined;
      for (const [what, series] of seriesPerturbed(expected.series, isMatrix, expected.ordered)) {
        yield [what, { ...expected, series }];
      }
      yield ['a scalar', { kind: 'scalar', value: { kind: 'float', value: 0 } }];
    }
  }
}

function* seriesPerturbed(
  series: readonly ExpectedSeries[],
  isMatrix: boolean,
  ordered: boolean,
): Iterable<readonly [string, readonly ExpectedSeries[]]> {
  const more = { line: series[0]?.line, labels: labelsFrom([['no', 'such series']]), values: [ONE] } as ExpectedSeries;
  yield ['an added series', [...series, more]];
  for (const [i, one] of series.entries()) {
    const name = JSON.stringify(one.labels);
    yield [`without ${name}`, series.toSpliced(i, 1)];
    for (const labels of labelsPerturbed(one.labels)) {
      yield [`${JSON.stringify(labels)} rather than ${name}`, series.with(i, { ...one, labels })];
    }
    for (const [j, value] of one.values.entries()) {
      for (const [what, other] of valuesPerturbed(value)) {
        yield [`${name}: value ${j}: ${what}`, series.with(i, { ...one, values: one.values.with(j, other) })];
      }
      if (!isMatrix) continue;
      const gap: SequenceValue = value.kind === 'none' ? ONE : { kind: 'none' };
      yield [`${name}: value ${j}: a gap`, series.with(i, { ...one, values: one.values.with(j, gap) })];
    }
    if (isMatrix)
      yield [`${name}: a step later`, series.with(i, { ...one, values: [{ kind: 'none' }, ...one.values] })];
    if (one.values[0]?.kind === 'none') {
      yield [`${name}: a step earlier`, series.with(i, { ...one, values: one.values.slice(1) })];
    }
    if (isMatrix) yield [`${name}: one more value`, series.with(i, { ...one, values: [...one.values, ONE] })];
    if (!ordered || i === 0) continue;
    yield [`${name} before the one before`, series.with(i, series[i - 1]!).with(i - 1, one)];
  }
}

const ONE: SequenceValue = { kind: 'float', value: 1 };

function* labelsPerturbed(labels: Labels): Iterable<Labels> {
  yield withLabel(labels, 'one_more', 'label');
  for (const [name, value] of Object.entries(labelsRecord(labels))) {
    yield withLabel(labels, name, `${value}.`);
    yield withLabel(labels, name, '');
  }
}

function* valuesPerturbed(value: SequenceValue): Iterable<readonly [string, SequenceValue]> {
  if (value.kind === 'none') return;
  yield ['a staleness marker', { kind: 'stale' }];
  if (value.kind === 'float') {
    yield ['another number', { kind: 'float', value: otherNumber(value.value) }];
    yield ['a histogram', { kind: 'histogram', histogram: EMPTY, hintGiven: false }];
  }
  if (value.kind !== 'histogram') return;
  yield ['a float', ONE];
  for (const [what, histogram] of histogramsPerturbed(value.histogram)) {
    yield [what, { ...value, histogram, hintGiven: value.hintGiven || what === 'hint' }];
  }
  if (!value.hintGiven) return;
  const hint = value.histogram.hint === GAUGE ? 0 : GAUGE;
  yield ['another hint', { ...value, histogram: { ...value.histogram, hint } }];
}

/** Just outside the tolerance. */
function otherNumber(value: number): number {
  if (!Number.isFinite(value)) return 1;
  // Numbers of less than full precision count as zero.
  return Math.abs(value) < 2 ** -1022 ? 1e-300 : value * (1 + 4e-6);
}

const EMPTY: NativeHistogram = {
  layout: {
    schema: 0,
    zeroThreshold: 0,
    positive: new Int32Array(0),
    negative: new Int32Array(0),
    bounds: new Float64Array(0),
  },
  hint: 0,
  count: 0,
  sum: 0,
  zeroCount: 0,
  positive: new Float64Array(0),
  negative: new Float64Array(0),
};

function* histogramsPerturbed(histogram: NativeHistogram): Iterable<readonly [string, NativeHistogram]> {
  const { layout } = histogram;
  for (const field of ['count', 'sum', 'zeroCount'] as const) {
    yield [field, { ...histogram, [field]: otherNumber(histogram[field]) }];
  }
  const schema = layout.schema === CUSTOM_BUCKETS ? 0 : layout.schema + 1;
  yield ['schema', { ...histogram, layout: { ...layout, schema } }];
  yield ['threshold', { ...histogram, layout: { ...layout, zeroThreshold: layout.zeroThreshold + 0.25 } }];
  for (const [i, bound] of layout.bounds.entries()) {
    yield [`bound ${i}`, { ...histogram, layout: { ...layout, bounds: layout.bounds.with(i, bound + 1e-9) } }];
  }
  for (const side of ['positive', 'negative'] as const) {
    for (const [i, count] of histogram[side].entries()) {
      if (count !== 0) yield [`no ${side} bucket ${i}`, { ...histogram, [side]: histogram[side].with(i, 0) }];
      yield [`${side} bucket ${i}`, { ...histogram, [side]: histogram[side].with(i, otherNumber(count)) }];
    }
    if (!histogram[side].some((count) => count !== 0)) continue;
    const moved = layout[side].map((index) => index + 1);
    yield [`${side} buckets elsewhere`, { ...histogram, layout: { ...layout, [side]: moved } }];
  }
}
