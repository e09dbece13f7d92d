import { expect, test } from 'vitest';
import { labelsRecord } from '../../src/model/labels.ts';
import { ALL_FEATURES } from '../../src/promql/features.ts';
import type { Command } from '../../src/promqltest/command.ts';
import { parseScript } from '../../src/promqltest/parse-script.ts';
import { printSeries } from '../../src/promqltest/result.ts';
import { ScriptError } from '../../src/promqltest/script-line.ts';
import { randomFrom } from '../random.ts';

function parse(text: string): readonly Command[] {
  return parseScript('t.test', text, ALL_FEATURES);
}

test.each<[string, string, string]>([
  ['a command that is none', 'lode 5m', '1:1: unknown command "lode"'],
  ['a line behind the end of a command', 'clear\n  metric 1', '2:3: unknown command "metric"'],
  ['a comment in the middle of a command', 'load 5m\n  a 1\n  # more\n  b 1', '4:3: unknown command "b"'],
  ['a load without a step', 'load', '1:1: a load command is written as'],
  ['a step that is no duration', 'load 5 minutes', '1:6: not a valid duration: "5 minutes"'],
  ['a series without braces at the end', 'load 5m\n  a{b="c" 1', '2:11: unexpected "1", expected "," or "}"'],
  ['a label without a value', 'load 5m\n  a{b} 1', '2:6: unexpected "} 1", expected "=" after the label name'],
  ['a label without quotes', 'load 5m\n  a{b=c} 1', '2:7: unexpected "c} 1", expected a quoted label value'],
  ['a label given twice', 'load 5m\n  a{b="c", b="d"} 1', '2:3: the label "b" is given twice'],
  ['a name given twice', 'load 5m\n  a{__name__="d"} 1', '2:3: the label "__name__" is given twice'],
  ['a quote that does not end', 'load 5m\n  a{b="c} 1', '2:7: unexpected "\\"c} 1", expected a quoted label value'],
  ['an escape that is none', 'load 5m\n  a{b="\\q"} 1', '2:7: '],
  ['a value that is no number', 'load 5m\n  a 1 two 3', '2:7: unexpected "two 3", expected a value'],
  [
    'a number of hexadecimal digits',
    'load 5m\n  a 0x1f',
    '2:8: unexpected "f", expected a space before the next value',
  ],
  ['a duration as a value', 'load 5m\n  a 5m', '2:6: unexpected "m", expected a space'],
  ['a repetition without a number', 'load 5m\n  a 1x', '2:7: unexpected end of the line, expected a number of'],
  ['a repetition that is too long', 'load 5m\n  a 1x1000000000', '2:6: more than 1000000 values in one series'],
  [
    'repetitions that are too long together',
    `load 5m\n  a ${'1x900000 '.repeat(2)}`,
    'more than 1000000 values in one series',
  ],
  [
    'series that are too long together',
    'load 5m\n  a 1x900000\n  b 1x900000',
    '3:3: more than 1000000 values in one load',
  ],
  ['a step with two signs', 'load 5m\n  a 1+-2x3', '2:7: unexpected "-2x3", expected a step'],
  ['a step without a repetition', 'load 5m\n  a 1+2', '2:8: unexpected end of the line, expected "x"'],
  ['values without a space between', 'load 5m\n  a 1__2', '2:6: unexpected "__2"'],
  [
    'a histogram without an end',
    'load 5m\n  a {{count:1',
    '2:14: unexpected end of the line, expected a space or "}}"',
  ],
  ['a histogram with an unknown key', 'load 5m\n  a {{total:1}}', '2:7: a histogram has no total'],
  ['a histogram with a key twice', 'load 5m\n  a {{sum:1 sum:2}}', '2:13: sum is given twice in a histogram'],
  ['a histogram without a colon', 'load 5m\n  a {{sum 1}}', '2:10: unexpected " 1}}", expected ":" after sum'],
  ['buckets that are no list', 'load 5m\n  a {{buckets:1}}', '2:15: unexpected "1}}", expected a list of numbers'],
  ['buckets without an end', 'load 5m\n  a {{buckets:[1 2}}', '2:19: unexpected "}}", expected a number'],
  ['a schema that is no integer', 'load 5m\n  a {{schema:1.5}}', '2:15: unexpected ".5}}", expected a space'],
  ['an offset beyond all bounds', 'load 5m\n  a {{offset:99999999999}}', '2:14: an integer of more than 32 bits'],
  [
    'a hint that is none',
    'load 5m\n  a {{counter_reset_hint:maybe}}',
    '2:31: unexpected "}}", expected one of unknown',
  ],
  ['a histogram stepped by a number', 'load 5m\n  a {{sum:1}}+1x3', '2:15: unexpected "1x3", expected a histogram'],
  [
    'a histogram stepped by a coarser one',
    'load 5m\n  a {{schema:2 sum:1}}+{{schema:1 sum:1}}x3',
    '2:24: a histogram of schema 2 cannot be stepped by one of the coarser schema 1',
  ],
  ['start times of no series', 'load 5m\n  a@st -1m\n', '2:3: no line with the samples'],
  ['start times of another series', 'load 5m\n  a@st -1m\n  b 1', '2:3: no line with the samples'],
  ['start times twice', 'load 5m\n  a@st -1m\n  a@st -1m\n  a 1', '2:3: no line with the samples'],
  ['too few start times', 'load 5m\n  a@st -1m\n  a 1 2', '2:3: 1 start times for the 2 values'],
  ['a start time that is no duration', 'load 5m\n  a@st 5x\n  a 1', '2:8: not a valid duration: "5"'],
  ['a start time of two units', 'load 5m\n  a@st -1m30s\n  a 1', '2:11: unexpected "30s", expected a space'],
  ['an evaluation of no kind', 'eval sometimes at 5m a', '1:1: an evaluation is written as'],
  ['an evaluation at no time', 'eval instant a', '1:1: an evaluation is written as'],
  ['a time that is no duration', 'eval instant at noon a', '1:17: not a valid duration: "noon"'],
  ['a range that ends before it starts', 'eval range from 5m to 1m step 1m a', '1:23: the end lies before the start'],
  ['many values for an instant', 'eval instant at 0 a\n  a 1 2', '2:3: 2 values for an instant query'],
  ['no value for an instant', 'eval instant at 0 a\n  a', '2:3: 0 values for an instant query'],
  ['a gap for an instant', 'eval instant at 0 a\n  a _', '2:3: 1 values for an instant query'],
  ['an expectation that is none', 'eval instant at 0 a\n  expect much', '2:3: this is written as expect <fail|'],
  [
    'a regular expression that is none',
    'eval instant at 0 a\n  expect fail regex:(',
    '2:21: not a regular expression: (',
  ],
  [
    'a warning and none',
    'eval instant at 0 a\n  expect warn\n  expect no_warn',
    '1:1: this expects warn and no_warn at once',
  ],
  [
    'two failures',
    'eval instant at 0 a\n  expect fail msg:a\n  expect fail msg:b',
    '3:3: an evaluation fails only once',
  ],
  ['a string without quotes', 'eval instant at 0 "a"\n  expect string a', '2:17: expected a string in double'],
  [
    'a string and a number',
    'eval instant at 0 "a"\n  expect string "a"\n  5',
    '1:1: this expects results of more than one kind',
  ],
  [
    'a range vector of a range query',
    'eval range from 0 to 1m step 1m a\n  expect range vector from 0 to 1m step 1m',
    '2:3: only an instant query can come to a range vector',
  ],
  [
    'a range vector of no steps',
    'eval instant at 0 a[1m]\n  expect range vector from 0 to 1m',
    '2:3: this is written as expect range vector from <time>',
  ],
])('a script with %s is refused', (_, text, want) => {
  const error = refusal(text);
  expect(error.message).toContain(want);
  expect(error.message).toMatch(/^t\.test:\d+:\d+: /);
  // The caret stands under the place.
  const [line, caret] = error.rendering.split('\n');
  if (text.length < 100) expect(line).toBe(text.split('\n')[error.line - 1]);
  expect(caret).toMatch(/^\s*\^$/);
});

function refusal(text: string): ScriptError {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof ScriptError) return error;
    throw error;
  }
  return expect.unreachable('the script was parsed');
}

test('a query that does not parse is a failure of its evaluation, with its place in the script', () => {
  const [command] = parse('eval instant at 5m sum(a');
  const { expr } = command as Extract<Command, { kind: 'evaluate' }>;
  expect(expr).toBeInstanceOf(ScriptError);
  expect((expr as ScriptError).message).toMatch(/^t\.test:1:\d+: parse error: /);
});

/** Series of a load, printed. */
test.each<[string, string]>([
  ['a 1 2 3', 'a 1 2 3'],
  ['a{b="c"} 1x2', 'a{b="c"} 1 1 1'],
  ['a 1+2x3', 'a 1 3 5 7'],
  ['a 1-2x3 _ 5', 'a 1 -1 -3 -5 5'],
  ['a 0.1+0.1x2', 'a 0.1 0.2 0.30000000000000004'],
  ['a Inf -inf +Inf NaN 1e3 .5 5. 1_000 010', 'a +Inf -Inf +Inf NaN 1000 0.5 5 1000 8'],
  ['a stale', 'a stale'],
  ['{"a b", "c.d"="e"} 1', '{"a b", "c.d"="e"} 1'],
  ["{__name__='a', b=`c`} 1", 'a{b="c"} 1'],
  ['{} 1', '{} 1'],
  ['a{b="",c="\\"\\n"} 1', 'a{c="\\"\\n"} 1'],
  ['by{on="x"} 1', 'by{on="x"} 1'],
  ['a {{}}', 'a {{}}'],
  ['a {{schema:1 sum:-3.5 count:22 buckets:[5 10 7]}}', 'a {{schema:1 count:22 sum:-3.5 buckets:[5 10 7]}}'],
  [
    'a {{n_offset:-1 n_buckets:[1] z_bucket:2 z_bucket_w:0.5}}',
    'a {{z_bucket:2 z_bucket_w:0.5 n_offset:-1 n_buckets:[1]}}',
  ],
  [
    'a {{schema:-53 custom_values:[1 2] buckets:[0 1 Inf] counter_reset_hint:gauge}}',
    'a {{schema:-53 custom_values:[1 2] counter_reset_hint:gauge offset:1 buckets:[1 +Inf]}}',
  ],
  ['a {{sum:1}}x1', 'a {{sum:1}} {{sum:1}}'],
  [
    'a {{count:1 buckets:[1]}}+{{count:2 buckets:[1 1]}}x2',
    'a {{count:1 buckets:[1]}} {{count:3 buckets:[2 1]}} {{count:5 buckets:[3 2]}}',
  ],
  ['a {{count:5 buckets:[5]}}-{{count:2 buckets:[2]}}x1', 'a {{count:5 buckets:[5]}} {{count:3 buckets:[3]}}'],
])('the series %j', (text, want) => {
  const script = `load 1m\n  ${text}`;
  const [command] = parse(script);
  const { series } = command as Extract<Command, { kind: 'load' }>;
  expect(
    series.map(({ labels, samples }) =>
      printSeries(
        labels,
        samples.map(({ value }) => value),
      ),
    ),
  ).toEqual([want.replace(/ _/g, '')]);
});

test('samples lie at multiples of the step, and start times before them', () => {
  const script = 'load 30s\n  a{b="c"}@st -10s _ 0s+5sx2 _x1\n  a{b="c"} 1 _ 2x2 stale\n\nload 1m\n';
  const [load, empty] = parse(script) as Extract<Command, { kind: 'load' }>[];
  expect(load?.series.map(({ labels }) => labelsRecord(labels))).toEqual([{ __name__: 'a', b: 'c' }]);
  expect(load?.series[0]?.samples.map(({ timeMs, startMs }) => [timeMs, startMs])).toEqual([
    [0, -10_000],
    [60_000, 60_000],
    [90_000, 95_000],
    [120_000, 130_000],
    [150_000, 0],
  ]);
  expect(empty?.series).toEqual([]);
});

test('of equal series in one load the last one counts', () => {
  const [load] = parse('load 1m\n  a{b="c"} 1 2\n  a{b="c"} 3') as Extract<Command, { kind: 'load' }>[];
  expect(load?.series).toHaveLength(1);
  expect(load?.series[0]?.samples).toMatchObject([{ value: { value: 3 } }]);
});

test('an evaluation ends with the number that it expects', () => {
  const commands = parse(
    'eval instant at 0 1\n  1\neval_ordered instant at 1m a\n\neval range from 0 to 1m step 30s a\n  a 1 2',
  );
  expect(commands.map(({ line }) => line.number)).toEqual([1, 3, 5]);
  expect(commands).toMatchObject([
    { expected: { kind: 'scalar', value: { value: 1 } } },
    { expected: { kind: 'series', ordered: true, series: [] }, when: { kind: 'instant', timeMs: 60_000 } },
    { when: { kind: 'range', fromMs: 0, toMs: 60_000, stepMs: 30_000 } },
  ]);
});

test('whatever is written, it is parsed or refused by its place', () => {
  const seed = Date.now() % 2 ** 31;
  const random = randomFrom(seed);
  const parts = [
    'load 1m\n',
    'eval instant at 0 ',
    'a',
    '{',
    '}',
    '{{',
    '}}',
    '"',
    '=',
    ' ',
    '\n',
    'x',
    '1',
    '9e9',
    '-',
    '+',
  ];
  const more = [
    '_',
    'stale',
    'buckets:[',
    ']',
    'schema:',
    'expect ',
    'fail',
    ' msg:',
    '@st',
    '5m',
    '\\',
    'range from 0 to 1m',
  ];
  for (let round = 0; round < 2_000; round++) {
    const text = Array.from({ length: random.int(1, 30) }, () => random.pick([...parts, ...more])).join('');
    try {
      parse(text);
    } catch (error) {
      if (!(error instanceof ScriptError))
        throw new Error(`seed ${seed}, script ${JSON.stringify(text)}`, { cause: error });
      expect(text.split('\n').length).toBeGreaterThanOrEqual(error.line);
    }
  }
});
