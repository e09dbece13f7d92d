import { afterEach, describe, expect, it } from 'vitest';
import type { Coverage } from '../../src/coverage/coverage.ts';
import { IncompleteError, type QueryResult } from '../../src/hub/query.ts';
import type { SeriesColumns } from '../../src/model/series.ts';
import { labelsText } from '../../src/model/labels.ts';
import type { CoverageRun } from '../../src/plan/frames/coverage-codec.ts';
import { series } from '../memory-source.ts';
import { askHub, fakeDomain, hang, NOW_MS, refuseConnection, type Asked, type FakeDomain } from './fake-domains.ts';

const NOW = NOW_MS / 1000;
const run = (steps: number, observed: number, expected: number): CoverageRun => ({ steps, observed, expected });

const open: FakeDomain[] = [];
afterEach(async () => {
  for (const domain of open.splice(0)) await domain.close();
});

/** A domain whose series x is 1 every minute for an hour, and y there only in `eu`. */
function domainOf(name: string, sealed: readonly string[] = []): FakeDomain {
  const times = Array.from({ length: 61 }, (_none, i): [number, number] => [NOW_MS - (60 - i) * 60_000, 1]);
  const held: SeriesColumns[] = [series({ __name__: 'x', domain: name }, times)];
  if (name === 'eu') held.push(series({ __name__: 'y', domain: name }, times));
  const domain = fakeDomain(name, held, sealed);
  open.push(domain);
  return domain;
}

/** Values by labels, steps apart by blanks, `_` for none. */
function valuesOf({ value }: QueryResult): Record<string, string> {
  if (value.kind === 'scalar') return { scalar: [...value.values].join(' ') };
  if (value.kind !== 'vector') throw new Error(value.kind);
  return Object.fromEntries(
    value.rows.map(({ labels, values, present }) => [
      labelsText(labels),
      [...values].map((one, i) => (present[i] === 1 ? one : '_')).join(' '),
    ]),
  );
}

async function failure(asking: Promise<QueryResult>): Promise<IncompleteError> {
  const error: unknown = await asking.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(IncompleteError);
  return error as IncompleteError;
}

const short = ({ complete, observed, expected, domains }: Coverage) => ({
  complete,
  of: `${observed}/${expected}`,
  domains: domains.map(({ domain, status, observed: there, expected: all }) => `${domain} ${status} ${there}/${all}`),
});

describe('the coverage of an answer, domain by domain', () => {
  it('all there: complete and silent', async () => {
    const [eu, us] = [domainOf('eu'), domainOf('us')];
    const { coverage, warnings, value } = await askHub([eu, us], 'sum(x)');
    expect(valuesOf({ value } as QueryResult)).toEqual({ '{}': '2' });
    expect(warnings).toEqual([]);
    expect(coverage).toEqual({
      complete: true,
      observed: 20,
      expected: 20,
      settledUntil: NOW + 3_600,
      domains: ['eu', 'us'].map((domain) => ({
        domain,
        status: 'ok',
        observed: 10,
        expected: 10,
        from: NOW,
        to: NOW,
        settledUntil: NOW + 3_600,
        steps: [{ from: NOW, to: NOW, observed: 10, expected: 10 }],
        suppressible: false,
      })),
    });
    expect(eu.asked.map(({ coverage: questions }) => questions)).toEqual([
      [
        {
          grid: expect.objectContaining({ steps: 1 }),
          reads: [{ metric: 'x', fromMs: -300_000, toMs: 0, fixed: false }],
        },
      ],
    ]);
  });

  it('a silent domain counts with what it last said, and is whole again when it is back', async () => {
    const [eu, us] = [domainOf('eu'), domainOf('us')];
    us.status = { expectedStreams: 7, observedStreams: 7 };
    await askHub([eu, us], 'sum(x)');
    us.fault = refuseConnection;
    const gone = await askHub([eu, us], 'sum(x)', { steps: 3 });
    expect(valuesOf(gone)).toEqual({ '{}': '1 1 1' });
    expect(short(gone.coverage)).toEqual({
      complete: false,
      of: '10/20',
      domains: ['eu ok 10/10', 'us unreachable 0/10'],
    });
    // Of what it was not asked about before, all that it has is owed.
    expect(short((await askHub([eu, us], 'sum(y)')).coverage).domains).toEqual(['eu ok 10/10', 'us unreachable 0/7']);
    expect(gone.coverage.domains[1]).toMatchObject({
      from: null,
      to: null,
      settledUntil: NOW + 3_600,
      steps: [{ from: NOW - 120, to: NOW, observed: 0, expected: 10 }],
    });
    expect(gone.warnings).toEqual([
      expect.stringMatching(/^partial answer: 10 of 20 streams observed; us unreachable \(.*connection refused.*\)$/),
    ]);
    us.fault = () => undefined;
    await expect
      .poll(async () => short((await askHub([eu, us], 'sum(x)')).coverage), { timeout: 10_000 })
      .toEqual({
        complete: true,
        of: '20/20',
        domains: ['eu ok 10/10', 'us ok 10/10'],
      });
  }, 20_000);

  it('a domain that was never heard owes nobody knows what: 0 of 0, and incomplete', async () => {
    const [eu, us] = [domainOf('eu'), domainOf('us')];
    us.fault = refuseConnection;
    const { coverage, warnings } = await askHub([eu, us], 'sum(x)');
    expect(short(coverage)).toEqual({ complete: false, of: '10/10', domains: ['eu ok 10/10', 'us unreachable 0/0'] });
    expect(warnings[0]).toMatch(/us unreachable \(.*; it was never heard, so what it holds is unknown\)$/);
    expect(coverage.settledUntil).toBeNull();
  });

  it('a slow one is given up at the deadline', async () => {
    const [eu, us] = [domainOf('eu'), domainOf('us')];
    us.fault = hang;
    const { coverage, warnings } = await askHub([eu, us], 'sum(x)', { deadlineMs: Date.now() + 300 });
    expect(short(coverage).domains).toEqual(['eu ok 10/10', 'us timeout 0/0']);
    expect(warnings[0]).toMatch(/; us timeout \(no answer /);
  });

  it('one that refuses: its streams are not in the answer', async () => {
    const [eu, us] = [domainOf('eu'), domainOf('us', ['x'])];
    us.streams = ({ grid }) => [run(grid.steps, 4, 5)];
    const { coverage, warnings, value } = await askHub([eu, us], 'sum(x)', { steps: 2 });
    expect(valuesOf({ value } as QueryResult)).toEqual({ '{}': '1 1' });
    expect(short(coverage)).toEqual({ complete: false, of: '10/15', domains: ['eu ok 10/10', 'us refused 0/5'] });
    expect(warnings[0]).toMatch(/; us refused \(refused: .*metric x is sealed in domain us/);
  });

  it('one with silent streams', async () => {
    const [eu, us] = [domainOf('eu'), domainOf('us')];
    us.streams = ({ grid }) => [run(2, 10, 10), run(1, 7, 10), run(grid.steps - 3, 10, 10)];
    const { coverage, warnings } = await askHub([eu, us], 'sum(x)', { steps: 5 });
    expect(short(coverage)).toEqual({ complete: false, of: '17/20', domains: ['eu ok 10/10', 'us partial 7/10'] });
    expect(coverage.domains[1]).toMatchObject({
      from: NOW - 240,
      to: NOW,
      reason: '3 of 10 streams silent at 1 of 5 steps',
      steps: [
        { from: NOW - 240, to: NOW - 180, observed: 10, expected: 10 },
        { from: NOW - 120, to: NOW - 120, observed: 7, expected: 10 },
        { from: NOW - 60, to: NOW, observed: 10, expected: 10 },
      ],
    });
    expect(warnings).toEqual([
      'partial answer: 17 of 20 streams observed; us partial (3 of 10 streams silent at 1 of 5 steps)',
    ]);
  });

  it('unsettled steps are marked, which is no reason to warn', async () => {
    const eu = domainOf('eu');
    eu.status = { settledUntilMs: NOW_MS - 90_000 };
    const { coverage, warnings } = await askHub([eu], 'sum(rate(x[5m] offset 30s))', { steps: 5, allowPartial: false });
    expect(warnings).toEqual([]);
    expect(coverage).toMatchObject({ complete: true, settledUntil: NOW - 90 });
    expect(coverage.domains[0]!.steps).toEqual([
      { from: NOW - 240, to: NOW - 60, observed: 10, expected: 10 },
      { from: NOW, to: NOW, observed: 10, expected: 10, unsettled: true },
    ]);
  });

  it('a pruned domain is not counted, silent or not', async () => {
    const [eu, us] = [domainOf('eu'), domainOf('us')];
    us.fault = refuseConnection;
    const { coverage, warnings } = await askHub([eu, us], 'sum(x{domain="eu"})');
    expect(warnings).toEqual([]);
    expect(short(coverage)).toEqual({ complete: true, of: '10/10', domains: ['eu ok 10/10', 'us pruned 0/0'] });
    expect(us.asked).toEqual([]);
  });

  it('a domain is not asked about streams that its own label rules out', async () => {
    const [eu, us] = [domainOf('eu'), domainOf('us')];
    await askHub([eu, us], 'sum(x{domain="eu"}) + sum(y{domain!="eu"}) + sum(z)');
    const metrics = ({ asked }: FakeDomain) =>
      asked.map((one) => one.coverage.map(({ reads }) => reads.map(({ metric }) => metric)));
    expect([metrics(eu), metrics(us)]).toEqual([[[['x', 'z']]], [[['y', 'z']]]]);
  });

  it('a query that no domain is asked for is complete', async () => {
    const eu = domainOf('eu');
    eu.fault = refuseConnection;
    for (const text of ['1 + 1', 'vector(1)', 'sum(x{domain="moon"})']) {
      const { coverage, warnings } = await askHub([eu], text, { allowPartial: false });
      expect([short(coverage), warnings], text).toEqual([
        { complete: true, of: '0/0', domains: ['eu pruned 0/0'] },
        [],
      ]);
    }
  });
});

describe('where a part is not enough', () => {
  const faults: [string, (us: FakeDomain) => void, Asked][] = [
    ['a silent domain', (us) => void (us.fault = refuseConnection), {}],
    ['silent streams', (us) => void (us.streams = ({ grid }) => [run(grid.steps, 9, 10)]), {}],
    ['one silent step', (us) => void (us.streams = () => [run(2, 10, 10), run(1, 9, 10)]), { steps: 3 }],
  ];
  it.each(faults)('%s fails the query, with the structure', async (_name, breaks, asked) => {
    const [eu, us] = [domainOf('eu'), domainOf('us')];
    breaks(us);
    const error = await failure(askHub([eu, us], 'sum(x)', { ...asked, allowPartial: false }));
    expect([error.status, error.errorType]).toEqual([503, 'unavailable']);
    expect(error.coverage.complete).toBe(false);
    const { coverage, warnings } = await askHub([eu, us], 'sum(x)', asked);
    expect(error.coverage).toEqual(coverage);
    expect(error.message).toBe(warnings[0]);
  });

  it('no domain at all fails it also where a part would do', async () => {
    const eu = domainOf('eu');
    eu.fault = refuseConnection;
    const error = await failure(askHub([eu], 'sum(x)'));
    expect(short(error.coverage)).toEqual({ complete: false, of: '0/0', domains: ['eu unreachable 0/0'] });
  });

  it('a caller that is gone: canceled, whatever came of it', async () => {
    const [eu, us] = [domainOf('eu'), domainOf('us')];
    const gone = new AbortController();
    us.fault = (query, context) => {
      gone.abort();
      return hang(query, context);
    };
    await expect(askHub([eu, us], 'sum(x)', { signal: gone.signal })).rejects.toMatchObject({
      code: 'canceled',
      status: 499,
    });
  });
});

describe('windows that a domain did not answer', () => {
  /** So many steps an hour apart that a domain is asked in several windows. */
  const STEPS = 9_000;
  const asked = { steps: STEPS, stepMs: 3_600_000 };
  const since = NOW_MS - (STEPS - 1) * 3_600_000;
  const heldTimes = Array.from({ length: STEPS }, (_none, i): [number, number] => [since + i * 3_600_000, 1]);

  function federation(): { eu: FakeDomain; us: FakeDomain } {
    const [eu, us] = ['eu', 'us'].map((name) => fakeDomain(name, [series({ __name__: 'x', domain: name }, heldTimes)]));
    open.push(eu!, us!);
    return { eu: eu!, us: us! };
  }

  /** The domain fails what begins in the middle third. */
  function failMiddle(us: FakeDomain): void {
    us.fault = ({ coverage: [question] }) => {
      const { startMs } = question!.grid;
      const third = (NOW_MS - since) / 3;
      if (startMs > since + third && startMs < since + 2 * third) throw new Error('broken pipe in the middle');
    };
  }

  it('are missing: the steps of the others stay', async () => {
    const { eu, us } = federation();
    await askHub([eu, us], 'sum(x)');
    failMiddle(us);
    const result = await askHub([eu, us], 'sum(x)', asked);
    expect(us.asked.length).toBeGreaterThan(3);
    const { value, coverage, warnings } = result;
    const [, part] = coverage.domains;
    expect(part).toMatchObject({ status: 'partial', observed: 0, expected: 10, from: since / 1000, to: NOW });
    expect(part!.steps.map(({ observed }) => observed)).toEqual([10, 0, 10]);
    const [, hole] = part!.steps;
    expect(value.kind === 'vector' && value.rows).toHaveLength(1);
    const { values } = (value as Extract<typeof value, { kind: 'vector' }>).rows[0]!;
    let lacking = 0;
    values.forEach((one, i) => {
      const time = (since + i * 3_600_000) / 1000;
      const isMissing = time >= hole!.from && time <= hole!.to;
      lacking += Number(isMissing);
      expect(one).toBe(isMissing ? 1 : 2);
    });
    expect(lacking).toBeGreaterThan(0);
    expect(warnings).toEqual([
      `partial answer: 10 of 20 streams observed; us partial (no answer for ${lacking} of ${STEPS} steps: unreachable, broken pipe in the middle)`,
    ]);
    expect((await failure(askHub([eu, us], 'sum(x)', { ...asked, allowPartial: false }))).coverage.observed).toBe(10);
  });

  it('what is absent there is unknown, unless another domain has it', async () => {
    const { eu, us } = federation();
    failMiddle(us);
    expect(valuesOf(await askHub([eu, us], 'absent(x)', asked))).toEqual({});
    const { coverage } = await failure(askHub([eu, us], 'absent(x{i="1"})', asked));
    expect(coverage.domains.map(({ status }) => status)).toEqual(['ok', 'partial']);
    us.fault = () => undefined;
    expect(Object.keys(valuesOf(await askHub([eu, us], 'absent(x{i="1"})', asked)))).toEqual(['{i="1"}']);
  });

  it('what is absent elsewhere is known where the others had it at those steps', async () => {
    const { us } = federation();
    failMiddle(us);
    const [part] = (await askHub([us], 'sum(x)', asked)).coverage.domains;
    const { from, to } = part!.steps.find(({ observed }) => observed === 0)!;
    const middle = heldTimes.filter(([time]) => time >= from * 1000 && time <= to * 1000);
    const eu = fakeDomain('eu', [series({ __name__: 'z', domain: 'eu' }, middle)]);
    open.push(eu);
    const values = valuesOf(await askHub([eu, us], 'absent(z)', asked));
    expect(values['{}']).toMatch(/^(1 )+(_ )+(1 )+1$/);
    await failure(askHub([us, eu], 'absent(z{i="1"})', asked));
  });

  it('a window of no domain at all is no answer', async () => {
    const { eu } = federation();
    eu.fault = () => {
      throw new Error('gone');
    };
    const { coverage } = await failure(askHub([eu], 'sum(x)', asked));
    expect(coverage.domains[0]).toMatchObject({ status: 'unreachable', from: null, to: null });
  });
});

describe('coverage()', () => {
  const rows = async (domains: readonly FakeDomain[], text: string, asked?: Asked) =>
    valuesOf(await askHub(domains, text, asked));

  it('is the part that is there, by domain and step', async () => {
    const [eu, us, ap] = [domainOf('eu'), domainOf('us'), domainOf('ap')];
    us.streams = () => [run(1, 10, 10), run(1, 7, 10), run(1, 0, 10)];
    ap.streams = () => [run(1, 0, 0), run(2, 3, 3)];
    expect(await rows([eu, us, ap], 'coverage(x)', { steps: 3 })).toEqual({
      '{domain="eu"}': '1 1 1',
      '{domain="us"}': '1 0.7 0',
      '{domain="ap"}': '_ 1 1',
    });
  });

  it('asks for no value', async () => {
    const eu = domainOf('eu', ['x']);
    expect(await rows([eu], 'coverage(sum by (job) (rate(x[5m])) / scalar(y))')).toEqual({ '{domain="eu"}': '1' });
    expect(
      eu.asked.map(({ fragments, coverage }) => [fragments.length, coverage.map(({ reads }) => reads.length)]),
    ).toEqual([[0, [0, 2]]]);
  });

  it('is 0 of a silent domain, and nothing of one that is ruled out or has no such streams', async () => {
    const [eu, us, ap, sa] = [domainOf('eu'), domainOf('us'), domainOf('ap'), domainOf('sa')];
    us.fault = refuseConnection;
    ap.streams = ({ grid }) => [run(grid.steps, 0, 0)];
    const text = 'coverage(x{domain!="sa"})';
    expect(await rows([eu, us, ap, sa], text, { steps: 2 })).toEqual({
      '{domain="eu"}': '1 1',
      '{domain="us"}': '0 0',
    });
    expect(sa.asked).toEqual([]);
    expect(await rows([eu, us], 'coverage(1)')).toEqual({});
  });

  it('is part of any query', async () => {
    const [eu, us] = [domainOf('eu'), domainOf('us')];
    us.streams = ({ grid, reads }) => [run(grid.steps, reads.length === 0 ? 0 : 8, reads.length === 0 ? 0 : 10)];
    const all = [eu, us];
    expect(await rows(all, 'sum(x) and on() (min(coverage(x)) > 0.9)')).toEqual({});
    expect(await rows(all, 'sum(x) and on() (min(coverage(x)) > 0.7)')).toEqual({ '{}': '2' });
    expect(await rows(all, 'coverage(x) < 1')).toEqual({ '{domain="us"}': '0.8' });
    expect(await rows(all, 'avg(coverage(x)) + scalar(max(coverage(y)))')).toEqual({ '{}': '1.9' });
    expect(await rows(all, 'sum by (domain) (x) * on (domain) coverage(x)')).toEqual({
      '{domain="eu"}': '1',
      '{domain="us"}': '0.8',
    });
    expect(await rows(all, 'label_replace(coverage(x), "domain", "d-$1", "domain", "(.*)")', { steps: 2 })).toEqual({
      '{domain="d-eu"}': '1 1',
      '{domain="d-us"}': '0.8 0.8',
    });
  });

  it('has the steps of the subquery that it stands in', async () => {
    const eu = domainOf('eu');
    eu.streams = ({ grid: { steps }, reads }) => {
      if (reads.length === 0) return [run(steps, 0, 0)];
      return steps <= 5 ? [run(steps, 5, 10)] : [run(steps - 5, 10, 10), run(5, 5, 10)];
    };
    const text = 'count_over_time(coverage(x)[10m:1m]) + min_over_time(coverage(x)[10m:1m])';
    expect(await rows([eu], text)).toEqual({ '{domain="eu"}': '10.5' });
    expect(await rows([eu], 'min_over_time(coverage(x)[4s:1m])')).toEqual({});
    // The same coverage on other steps is another one.
    expect(await rows([eu], 'coverage(x) + sum_over_time(coverage(x)[10m:1m])')).toEqual({ '{domain="eu"}': '8' });
    expect(await rows([eu], 'min_over_time(coverage(x)[10m:1m] @ end())', { steps: 2 })).toEqual({
      '{domain="eu"}': '0.5 0.5',
    });
    expect(await rows([eu], 'coverage(x @ end())', { steps: 7 })).toEqual({
      '{domain="eu"}': '0.5 0.5 0.5 0.5 0.5 0.5 0.5',
    });
  });

  it('does not make an answer incomplete: it is the report of what is missing', async () => {
    const [eu, us] = [domainOf('eu'), domainOf('us')];
    us.fault = refuseConnection;
    const { coverage, warnings, value } = await askHub([eu, us], 'coverage(x) < 0.5', { allowPartial: false });
    expect(valuesOf({ value } as QueryResult)).toEqual({ '{domain="us"}': '0' });
    expect(warnings).toEqual([]);
    expect(coverage.complete).toBe(true);
    expect(coverage.domains.map(({ status, reason }) => [status, reason])).toEqual([
      ['pruned', 'only its coverage was asked for'],
      ['pruned', 'only its coverage was asked for'],
    ]);
    await failure(askHub([eu, us], 'sum(x) and on() (min(coverage(x)) >= 0)', { allowPartial: false }));
    // What it tells of a domain whose values are not read says nothing of the values.
    const { coverage: mixed } = await askHub([eu, us], 'sum(x{domain="eu"}) and on() coverage(x)', {
      allowPartial: false,
    });
    expect(short(mixed)).toEqual({ complete: true, of: '10/10', domains: ['eu ok 10/10', 'us pruned 0/0'] });
  });

  it('is of windows that were answered, beside those that were not', async () => {
    const times = Array.from({ length: 9_000 }, (_none, i): [number, number] => [NOW_MS - i * 3_600_000, 1]);
    const eu = fakeDomain('eu', [series({ __name__: 'x', domain: 'eu' }, times.toReversed())]);
    open.push(eu);
    await askHub([eu], 'x');
    eu.fault = ({ coverage: [question] }) => {
      if (question!.grid.startMs > NOW_MS - 4_500 * 3_600_000) throw new Error('half');
    };
    const values = valuesOf(await askHub([eu], 'coverage(x) + 0 * x', { steps: 9_000, stepMs: 3_600_000 }));
    expect(values['{domain="eu"}']).toMatch(/^(1 )+(_ )+_$/);
  });

  it.each([
    ['15 of them', 15, true],
    ['16 of them', 16, false],
  ])('%s', async (_name, count, isFine) => {
    const eu = domainOf('eu');
    const text = Array.from({ length: count }, (_none, i) => `coverage(x offset ${i}m)`).join(' + ');
    if (isFine) expect(await rows([eu], text)).toEqual({ '{domain="eu"}': '15' });
    else await expect(askHub([eu], text)).rejects.toMatchObject({ code: 'limit' });
  });
});
