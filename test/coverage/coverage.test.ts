import { describe, expect, it } from 'vitest';
import {
  coverageHeaders,
  coverageWarning,
  domainCoverage,
  prunedCoverage,
  summariseCoverage,
  suppressionInfo,
  type Coverage,
  type DomainCoverage,
  type DomainPart,
} from '../../src/coverage/coverage.ts';
import type { CoverageRun } from '../../src/plan/frames/coverage-codec.ts';
import { randomFrom } from '../random.ts';

const START = 1_700_000_000;
/** Ten steps a minute apart. */
const GRID = { startMs: START * 1000, stepMs: 60_000, steps: 10 };
const READS = [{ metric: 'x', fromMs: -300_000, toMs: 0, fixed: false }];

const run = (steps: number, observed: number, expected: number): CoverageRun => ({ steps, observed, expected });
const at = (step: number): number => START + step * 60;
const hole = (first: number, last: number) => ({
  range: { fromMs: at(first) * 1000, toMs: at(last) * 1000 },
  outcome: 'timeout' as const,
  reason: 'no answer within 5 ms',
});

function part(of: Partial<DomainPart>): DomainPart {
  const settledUntilMs = at(10) * 1000;
  return { domain: 'eu', grid: GRID, reads: READS, runs: [], missing: [], settledUntilMs, suppressible: false, ...of };
}

describe('one domain', () => {
  type Want = Pick<DomainCoverage, 'status' | 'observed' | 'expected' | 'from' | 'to' | 'steps'> & { reason?: string };
  const whole = { from: at(0), to: at(9) };

  it.each<[string, Partial<DomainPart>, Want]>([
    [
      'all there: one run, whatever it came in',
      { runs: [run(4, 10, 10), run(6, 10, 10)] },
      { status: 'ok', observed: 10, expected: 10, ...whole, steps: [{ ...whole, observed: 10, expected: 10 }] },
    ],
    [
      'no stream carries it: nothing is missing',
      { runs: [run(10, 0, 0)] },
      { status: 'ok', observed: 0, expected: 0, ...whole, steps: [{ ...whole, observed: 0, expected: 0 }] },
    ],
    [
      'some streams silent for a while: the worst step speaks',
      { runs: [run(4, 10, 10), run(1, 9, 10), run(2, 7, 10), run(3, 10, 10)] },
      {
        status: 'partial',
        observed: 7,
        expected: 10,
        ...whole,
        reason: '3 of 10 streams silent at 3 of 10 steps',
        steps: [
          { from: at(0), to: at(3), observed: 10, expected: 10 },
          { from: at(4), to: at(4), observed: 9, expected: 10 },
          { from: at(5), to: at(6), observed: 7, expected: 10 },
          { from: at(7), to: at(9), observed: 10, expected: 10 },
        ],
      },
    ],
    [
      'the worst is the smallest part, not the most that is missing',
      { runs: [run(5, 97, 100), run(5, 1, 2)] },
      {
        status: 'partial',
        observed: 1,
        expected: 2,
        ...whole,
        reason: '1 of 2 streams silent',
        steps: [
          { from: at(0), to: at(4), observed: 97, expected: 100 },
          { from: at(5), to: at(9), observed: 1, expected: 2 },
        ],
      },
    ],
    [
      'of equal parts that where more is missing',
      { runs: [run(3, 1, 2), run(4, 5, 10), run(3, 1, 2)] },
      {
        status: 'partial',
        observed: 5,
        expected: 10,
        ...whole,
        reason: '5 of 10 streams silent',
        steps: [
          { from: at(0), to: at(2), observed: 1, expected: 2 },
          { from: at(3), to: at(6), observed: 5, expected: 10 },
          { from: at(7), to: at(9), observed: 1, expected: 2 },
        ],
      },
    ],
    [
      'steps behind the watermark only are marked',
      { runs: [run(10, 10, 10)], settledUntilMs: at(7) * 1000 + 1 },
      {
        status: 'ok',
        observed: 10,
        expected: 10,
        ...whole,
        steps: [
          { from: at(0), to: at(7), observed: 10, expected: 10 },
          { from: at(8), to: at(9), observed: 10, expected: 10, unsettled: true },
        ],
      },
    ],
    [
      'what an agent knows to be missing is, settled or not',
      { runs: [run(10, 9, 10)], settledUntilMs: 1 },
      {
        status: 'partial',
        observed: 9,
        expected: 10,
        ...whole,
        reason: '1 of 10 streams silent',
        steps: [{ ...whole, observed: 9, expected: 10, unsettled: true }],
      },
    ],
    [
      'a fixed time that is not settled',
      {
        runs: [run(10, 1, 1)],
        reads: [{ metric: 'x', fromMs: 0, toMs: at(5) * 1000, fixed: true }],
        settledUntilMs: at(5) * 1000 - 1,
      },
      {
        status: 'ok',
        observed: 1,
        expected: 1,
        ...whole,
        steps: [{ ...whole, observed: 1, expected: 1, unsettled: true }],
      },
    ],
    [
      'an unknown watermark marks nothing',
      { runs: [run(10, 1, 1)], settledUntilMs: 0 },
      { status: 'ok', observed: 1, expected: 1, ...whole, steps: [{ ...whole, observed: 1, expected: 1 }] },
    ],
    [
      'a window without an answer: nothing is observed in it, whatever was said',
      { runs: [run(10, 10, 10)], missing: [hole(0, 3)] },
      {
        status: 'partial',
        observed: 0,
        expected: 10,
        from: at(4),
        to: at(9),
        reason: 'no answer for 4 of 10 steps: timeout, no answer within 5 ms',
        steps: [
          { from: at(0), to: at(3), observed: 0, expected: 10 },
          { from: at(4), to: at(9), observed: 10, expected: 10 },
        ],
      },
    ],
    [
      'windows without an answer beside silent streams',
      { runs: [run(6, 10, 10), run(4, 8, 10)], missing: [hole(4, 6), hole(-5, 0), hole(20, 30)] },
      {
        status: 'partial',
        observed: 0,
        expected: 10,
        from: at(1),
        to: at(9),
        reason: '2 of 10 streams silent at 3 of 10 steps; no answer for 4 of 10 steps: timeout, no answer within 5 ms',
        steps: [
          { from: at(0), to: at(0), observed: 0, expected: 10 },
          { from: at(1), to: at(3), observed: 10, expected: 10 },
          { from: at(4), to: at(6), observed: 0, expected: 10 },
          { from: at(7), to: at(9), observed: 8, expected: 10 },
        ],
      },
    ],
    [
      'no window with an answer',
      { runs: [run(10, 10, 10)], missing: [hole(0, 4), hole(5, 9)] },
      {
        status: 'timeout',
        observed: 0,
        expected: 10,
        from: null,
        to: null,
        reason: 'no answer within 5 ms',
        steps: [{ ...whole, observed: 0, expected: 10 }],
      },
    ],
    [
      'silent: it owes what it last had',
      { runs: [run(10, 0, 10)], failed: { status: 'unreachable', reason: 'connection refused' } },
      {
        status: 'unreachable',
        observed: 0,
        expected: 10,
        from: null,
        to: null,
        reason: 'connection refused',
        steps: [{ ...whole, observed: 0, expected: 10 }],
      },
    ],
  ])('%s', (_name, of, want) => {
    const settledUntilMs = of.settledUntilMs ?? at(10) * 1000;
    const settledUntil = settledUntilMs === 0 ? null : settledUntilMs / 1000;
    expect(domainCoverage(part(of))).toEqual({ domain: 'eu', suppressible: false, settledUntil, ...want });
  });
});

describe('the whole', () => {
  const ok = domainCoverage(part({ domain: 'a', runs: [run(10, 3, 3)] }));
  const silent = domainCoverage(
    part({ domain: 'b', runs: [run(10, 0, 7)], failed: { status: 'unreachable', reason: 'connection refused' } }),
  );
  const neverHeard = domainCoverage(
    part({ domain: 'c', runs: [run(10, 0, 0)], settledUntilMs: 0, failed: { status: 'timeout', reason: 'slow' } }),
  );
  const pruned = prunedCoverage('d', 5_000);

  it.each<[string, DomainCoverage[], Pick<Coverage, 'complete' | 'observed' | 'expected' | 'settledUntil'>]>([
    ['nobody', [], { complete: true, observed: 0, expected: 0, settledUntil: null }],
    ['whole', [ok], { complete: true, observed: 3, expected: 3, settledUntil: at(10) }],
    [
      'a pruned domain does not count',
      [pruned, ok],
      { complete: true, observed: 3, expected: 3, settledUntil: at(10) },
    ],
    ['only pruned ones', [pruned], { complete: true, observed: 0, expected: 0, settledUntil: null }],
    ['one silent', [ok, silent], { complete: false, observed: 3, expected: 10, settledUntil: at(10) }],
    ['one never heard', [ok, neverHeard], { complete: false, observed: 3, expected: 3, settledUntil: null }],
    ['never heard alone', [neverHeard], { complete: false, observed: 0, expected: 0, settledUntil: null }],
  ])('%s', (_name, domains, want) => {
    expect(summariseCoverage(domains)).toEqual({ ...want, domains });
  });

  it('a complete answer is silent, another says what its structure says', () => {
    expect(coverageWarning(summariseCoverage([ok, pruned]))).toBeUndefined();
    expect(coverageWarning(summariseCoverage([ok, silent, neverHeard, pruned]))).toBe(
      'partial answer: 3 of 10 streams observed; b unreachable (connection refused); c timeout (slow)',
    );
  });

  it('headers', () => {
    expect(coverageHeaders(summariseCoverage([ok, silent, pruned]))).toEqual({
      'Comity-Coverage': 'complete=false; observed=3; expected=10',
      'Comity-Domains': 'a=ok, b=unreachable, d=pruned',
    });
  });

  it('of a thousand domains those that lack something are named, in few KB', () => {
    const domains = Array.from({ length: 1_000 }, (_none, i) => ({ ...ok, domain: `${'d'.repeat(60)}${i}` }));
    const coverage = summariseCoverage([
      ...domains,
      ...Array.from({ length: 70 }, (_none, i) => ({ ...silent, domain: `s${i}` })),
    ]);
    const headers = coverageHeaders(coverage);
    expect(headers['Comity-Domains']).toMatch(/^s0=unreachable, s1=unreachable, .*, s63=unreachable, \*=1006$/);
    expect(coverageWarning(coverage)).toMatch(/; s63 unreachable \(connection refused\); 6 more domains$/);
    const allWell = coverageHeaders(summariseCoverage(domains));
    expect(allWell['Comity-Domains']!.length).toBeLessThan(8_192);
    expect(allWell['Comity-Domains']).toMatch(/=ok, \*=936$/);
  });
});

describe('random runs', () => {
  const random = randomFrom(20_251_122);
  const below = (n: number): number => random.int(0, n - 1);

  function runsOver(steps: number): CoverageRun[] {
    const runs: CoverageRun[] = [];
    for (let left = steps; left > 0;) {
      const length = 1 + below(left);
      const expected = below(4);
      runs.push(run(length, below(expected + 1), expected));
      left -= length;
    }
    return runs;
  }
  const spread = (runs: readonly CoverageRun[]): [number, number][] =>
    runs.flatMap(({ steps, observed, expected }) =>
      Array.from({ length: steps }, (): [number, number] => [observed, expected]),
    );

  it('the structure is that of every step by itself, and the text is that of the structure', () => {
    for (let round = 0; round < 500; round++) {
      const steps = 1 + below(20);
      const grid = { startMs: below(5) * 1_000, stepMs: 1 + below(3_000), steps };
      const stepMs = (step: number): number => grid.startMs + step * grid.stepMs;
      const toMs = below(4_000) - 2_000;
      const settledUntilMs = below(stepMs(steps) + 2_000);
      const missing = Array.from({ length: below(3) }, () => {
        const fromMs = below(stepMs(steps)) - 500;
        return { range: { fromMs, toMs: fromMs + below(8_000) }, outcome: 'timeout' as const, reason: 'slow' };
      });
      const runs = runsOver(steps);
      const reads = [{ metric: '', fromMs: toMs - 1, toMs, fixed: false }];
      const got = domainCoverage(part({ grid, reads, runs, missing, settledUntilMs }));

      const each = spread(runs).map(([observed, expected], step) => {
        const time = stepMs(step);
        const isMissing = missing.some(({ range }) => time >= range.fromMs && time <= range.toMs);
        const isUnsettled = settledUntilMs !== 0 && time + toMs > settledUntilMs;
        return { time, observed: isMissing ? 0 : observed, expected, isMissing, isUnsettled };
      });
      const told = got.steps.flatMap(({ from, to, observed, expected, unsettled }) =>
        each
          .filter(({ time }) => time / 1000 >= from && time / 1000 <= to)
          .map(({ time }) => [time, observed, expected, unsettled ?? false]),
      );
      expect(told).toEqual(each.map((one) => [one.time, one.observed, one.expected, one.isUnsettled]));
      const parts = each.map(({ observed, expected }) => (expected === 0 ? 1 : observed / expected));
      expect(got.expected === 0 ? 1 : got.observed / got.expected).toBe(Math.min(...parts));
      expect(each.some((one) => one.observed === got.observed && one.expected === got.expected)).toBe(true);
      const answered = each.filter(({ isMissing }) => !isMissing);
      expect([got.from, got.to]).toEqual(
        answered.length === 0 ? [null, null] : [answered[0]!.time / 1000, answered.at(-1)!.time / 1000],
      );
      const isWhole = each.every(({ observed, expected, isMissing }) => observed === expected && !isMissing);
      expect(got.status).toBe(isWhole ? 'ok' : answered.length === 0 ? 'timeout' : 'partial');

      const other = prunedCoverage('us', 0);
      const coverage = summariseCoverage([got, other]);
      expect(coverage.complete).toBe(isWhole);
      assertAgrees(coverageWarning(coverage), coverage, {
        steps,
        gappy: answered.filter((one) => one.observed < one.expected).length,
      });
    }
  });
});

/** Reads the sentence back and compares its numbers with the structure's. */
function assertAgrees(
  text: string | undefined,
  coverage: Coverage,
  { steps, gappy }: { steps: number; gappy: number },
): void {
  if (coverage.complete) return expect(text).toBeUndefined();
  const said = /^partial answer: (\d+) of (\d+) streams observed; eu (\w+) \((.*)\)$/.exec(text!);
  const [domain] = coverage.domains;
  expect(said?.slice(1, 4)).toEqual([String(coverage.observed), String(coverage.expected), domain!.status]);
  const silent = /^(\d+) of (\d+) streams silent(?: at (\d+) of (\d+) steps)?/.exec(said![4]!);
  if (domain!.status === 'timeout' || gappy === 0) return expect(silent).toBeNull();
  expect(Number(silent?.[3] ?? steps)).toBe(gappy);
  const missing = domain!.steps.some(
    (run) => run.expected - run.observed === Number(silent![1]) && run.expected === Number(silent![2]),
  );
  expect(missing).toBe(true);
}

it('that small groups may be missing is said of every domain whose policy says so', () => {
  const of = (...names: readonly string[]) =>
    suppressionInfo(
      summariseCoverage(
        ['a', 'b', 'c'].map((domain) => ({ ...prunedCoverage(domain, 0), suppressible: names.includes(domain) })),
      ),
    );
  expect([of(), of('b'), of('a', 'c')]).toEqual([
    undefined,
    'small groups may be missing: domain b leaves out groups of few series',
    'small groups may be missing: domains a, c leave out groups of few series',
  ]);
});
