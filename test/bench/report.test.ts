import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type ReportRow, writeReport } from '../../bench/report.ts';
import { judge, leftOut, type Target } from '../../bench/row.ts';
import { table } from '../../bench/table.ts';

const FASTER: Target = { kind: 'ratio', figure: 'wallMs', better: 'less', atLeast: 5 };
const MORE: Target = { kind: 'ratio', figure: 'perSecond', better: 'more', atLeast: 2 };
const SMALL: Target = { kind: 'bound', figure: 'bytesPerSeries', better: 'less', atMost: 2_048 };

test.each<
  [Target, own: number | undefined, theirs: number | undefined, ratio: number | undefined, met: boolean | undefined]
>([
  [FASTER, 10, 50, 5, true],
  [FASTER, 10, 49, 4.9, false],
  [MORE, 20, 10, 2, true],
  [MORE, 10, 20, 0.5, false],
  [SMALL, 2_048, 4_096, 2, true],
  [SMALL, 2_049, undefined, undefined, false],
  [FASTER, 10, undefined, undefined, undefined],
  [FASTER, undefined, 10, undefined, undefined],
])('%j: %s against %s', (target, own, theirs, ratio, met) => {
  const figures = (value: number | undefined) => (value === undefined ? {} : { [target.figure]: value });
  const row = judge('W', 'what', target, [
    { peer: 'comity', figures: figures(own) },
    { peer: 'prometheus', figures: figures(theirs) },
  ]);
  expect([row.measured[1]?.ratio, row.met]).toEqual([ratio, met]);
});

test('each peer may be judged, by what the target says or by a number of its own', () => {
  const target: Target = { ...FASTER, of: 'each' };
  const measured = (fast: number) => [
    { peer: 'comity', figures: { wallMs: 10 } },
    { peer: 'a', figures: { wallMs: 50 } },
    { peer: 'b', figures: { wallMs: fast }, atLeast: 2 },
    { peer: 'not judged', figures: { wallMs: 1 }, atLeast: 0 },
    leftOut('c'),
  ];
  const verdicts = (fast: number) => {
    const { measured: judged, met } = judge('W', 'what', target, measured(fast));
    return [judged.map((one) => one.met), met];
  };
  expect(verdicts(20)).toEqual([[undefined, true, true, undefined, undefined], true]);
  expect(verdicts(19)).toEqual([[undefined, true, false, undefined, undefined], false]);
  expect(judge('W', 'what', target, [{ peer: 'comity', figures: { wallMs: 1 } }, leftOut('a')]).met).toBe(undefined);
  expect(table([judge('W', 'what', target, measured(19))])).toBe(
    [
      '                time   ours  target',
      'W: what',
      '  comity       10 ms',
      '  a            50 ms  5.00x      5x     met',
      '  b            19 ms  1.90x      2x  missed',
      '  not judged  1.0 ms  0.10x',
      '  c: left out: no program',
      '',
    ].join('\n'),
  );
});

test('what is only shown has neither ratio nor target', () => {
  const measured = [{ peer: 'comity', figures: {}, note: '200, a warning' }];
  expect(table([{ workload: 'W5 fault', what: 'a query', measured }])).toContain('  comity: 200, a warning');
});

function row(workload: string, what: string): ReportRow {
  const run = { date: '', cpus: 2, model: '', node: '', seed: 1, scale: 1, repeat: 3 };
  return {
    ...judge(workload, what, FASTER, [{ peer: 'comity', figures: { wallMs: 10 } }, leftOut('prometheus')]),
    run,
  };
}

test('a run replaces the rows of its workloads and keeps the others', () => {
  const folder = mkdtempSync(join(tmpdir(), 'comity-report-'));
  const path = join(folder, 'results.json');
  const names = () =>
    (JSON.parse(readFileSync(path, 'utf8')) as { rows: ReportRow[] }).rows.map((one) => [one.workload, one.what]);
  try {
    writeReport(path, [row('W10', 'old'), row('W2 b', 'old'), row('W2 a', 'old')]);
    expect(names()).toEqual([
      ['W2 b', 'old'],
      ['W2 a', 'old'],
      ['W10', 'old'],
    ]);
    writeReport(path, [row('W2 c', 'new'), row('W1', 'new')]);
    expect(names()).toEqual([
      ['W1', 'new'],
      ['W2 c', 'new'],
      ['W10', 'old'],
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the table shows figures, ratios and targets, and why a peer is left out', () => {
  const measured = [
    { peer: 'comity', figures: { wallMs: 12.4, peakBytes: 200 * 1024 * 1024 } },
    { peer: 'prometheus', figures: { wallMs: 1_240, peakBytes: 50 * 1024 * 1024 } },
    leftOut('victoria-metrics'),
  ];
  const small = judge('W9', 'live', SMALL, [{ peer: 'comity', figures: { bytesPerSeries: 3_000 } }]);
  expect(table([judge('W3', 'rates', FASTER, measured), small])).toBe(
    [
      '                  time  peak memory     ours  target',
      'W3: rates',
      '  comity         12 ms       200 MB',
      '  prometheus  1,240 ms        50 MB  100.00x      5x  met',
      '  victoria-metrics: left out: no program',
      '',
      '          bytes a series  ours    target',
      'W9: live',
      '  comity           3,000        <= 2,048  missed',
      '',
    ].join('\n'),
  );
});
