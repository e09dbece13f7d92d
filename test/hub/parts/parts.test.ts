import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newTraceparent } from '../../../src/base/traceparent.ts';
import { openColumnsCache } from '../../../src/hub/cache/columns-cache.ts';
import { askPart, type Asking, type Part } from '../../../src/hub/parts.ts';
import { openDomain, type Domain } from '../../../src/hub/registry.ts';
import { rangeGrid, stepTime, type QueryGrid } from '../../../src/model/grid.ts';
import { labelsOf } from '../../../src/model/labels.ts';
import { coverageReads } from '../../../src/plan/coverage-reads.ts';
import { distribute, type Plan } from '../../../src/plan/distribute.ts';
import { decodeQueryRequest } from '../../../src/plan/frames/query-codec.ts';
import type { TimeRange } from '../../../src/plan/read-range.ts';
import { NO_FEATURES } from '../../../src/promql/features.ts';
import { parseExpr } from '../../../src/promql/parse.ts';
import { openDashboard, type Dashboard, type Panel } from '../cache/dashboard.ts';
import { fillSamples, openSimulatedDomain, TICK_MS, type SimulatedDomain } from '../cache/simulated-domain.ts';

const MINUTE_MS = 60_000;
const HOUR: Omit<Panel, 'text'> = { rangeMs: 60 * MINUTE_MS, stepMs: TICK_MS, isAligned: true };

let dashboard: Dashboard;

beforeEach(async () => {
  dashboard = await openDashboard({ seed: 1, isCalm: true, domains: 1 });
  await dashboard.live(4);
});
afterEach(() => dashboard.close());

/** The times of the steps that a panel asks its domain for, request by request. */
async function stepsAsked(panel: Panel): Promise<number[][]> {
  const [domain] = dashboard.domains as [SimulatedDomain];
  const before = domain.asked.length;
  const { result } = await dashboard.ask(panel, true);
  expect(result).toBeDefined();
  return domain.asked.slice(before).map(({ fragments }) =>
    fragments.flatMap((fragment) => {
      if (fragment.answer === 'unread') throw new Error('a hub asks what can be read');
      const { grid } = fragment;
      return Array.from({ length: grid.steps }, (_, step) => stepTime(grid, step));
    }),
  );
}

/** Ticks before now as times. */
function ago(...ticks: readonly number[]): number[] {
  return ticks.map((count) => Math.floor(dashboard.nowMs / TICK_MS) * TICK_MS - count * TICK_MS);
}

describe('a refresh', () => {
  const panel: Panel = { ...HOUR, text: 'sum(rate(requests_total[5m]))' };

  it('asks for new steps alone', async () => {
    expect((await stepsAsked(panel)).map((steps) => steps.length)).toEqual([241]);
    // The last step reads up to the watermark itself, and what lies there may still come.
    expect(await stepsAsked(panel)).toEqual([ago(0)]);
    await dashboard.live(1);
    expect(await stepsAsked(panel)).toEqual([ago(1, 0)]);
    await dashboard.live(3);
    expect(await stepsAsked(panel)).toEqual([ago(3, 2, 1, 0)]);
    expect(await dashboard.difference(panel)).toBeUndefined();
  });

  it('asks steps anew that a late sample changed, and no other', async () => {
    await stepsAsked({ ...panel, text: 'temperature' });
    await stepsAsked(panel);
    const [domain] = dashboard.domains as [SimulatedDomain];
    const [lateMs] = ago(100) as [number];
    const timeMs = lateMs + 1;
    await domain.append((builder) => fillSamples(builder, domain.streams[0]!, timeMs, 7), {
      fromMs: timeMs,
      toMs: timeMs,
    });
    // Late times are told in whole minutes; a rate over five reads them for five more.
    const minuteMs = Math.floor(timeMs / MINUTE_MS) * MINUTE_MS;
    const [all, again] = await stepsAsked(panel);
    expect([all, again]).toEqual([ago(0), stepsFrom(minuteMs, minuteMs + 6 * MINUTE_MS - 1)]);
    expect(await stepsAsked(panel)).toEqual([ago(0)]);
    expect(await dashboard.difference(panel)).toBeUndefined();
    // What is known of another query is wrong as well, and the same steps are asked at once.
    const [first] = await stepsAsked({ ...panel, text: 'temperature' });
    expect(first!.slice(0, -1)).toEqual(stepsFrom(minuteMs, minuteMs + 6 * MINUTE_MS - 1));
  });

  it('asks for the last step though all of it is known', async () => {
    const settled = { ...panel, text: 'sum(temperature offset 10m)' };
    expect((await stepsAsked(settled)).flat()).toHaveLength(241);
    expect(await stepsAsked(settled)).toEqual([ago(0)]);
    dashboard.domains[0]!.setPolicy([{ match: '*', class: 'sealed' }]);
    expect((await dashboard.ask(settled, true)).beside).toMatch(/^refused/);
  });

  it('does not take an info of steps that are asked no more for one of the others', async () => {
    const [domain] = dashboard.domains as [SimulatedDomain];
    const { nowMs } = dashboard;
    // A stream that lags behind keeps the last steps from being settled; a counter by another name appears after that.
    domain.streams[1]!.lastMs = nowMs - 100_000;
    await domain.append(
      (builder) => {
        for (const ticks of [3, 2, 1, 0]) builder.sample(builder.seriesOf(NEWCOMER), nowMs - ticks * TICK_MS, 1);
      },
      { fromMs: nowMs - 3 * TICK_MS, toMs: nowMs },
    );
    const noted = { ...panel, rangeMs: 5 * MINUTE_MS, text: 'rate(newcomer[1m])' };
    expect((await dashboard.ask(noted, true)).beside).toContain('might not be a counter');
    expect(dashboard.cache.counts().keptSteps).toBeGreaterThan(10);
    dashboard.nowMs -= 75_000;
    expect((await dashboard.ask(noted, true)).beside).not.toContain('might not be a counter');
  });

  it('at other steps is another query', async () => {
    await stepsAsked(panel);
    expect((await stepsAsked({ ...panel, stepMs: 30_000 })).flat()).toHaveLength(121);
    expect((await stepsAsked({ ...panel, text: 'sum(rate(requests_total[4m]))' })).flat()).toHaveLength(241);
    dashboard.nowMs += 1;
    expect((await stepsAsked({ ...panel, isAligned: false })).flat()).toHaveLength(241);
  });

  it('at either of two steps sees what is late', async () => {
    const coarse = { ...panel, stepMs: 30_000 };
    await stepsAsked(coarse);
    await stepsAsked(panel);
    const [domain] = dashboard.domains as [SimulatedDomain];
    const [timeMs] = ago(50) as [number];
    const lateMs = timeMs + 1;
    await domain.append((builder) => fillSamples(builder, domain.streams[0]!, lateMs, 7), {
      fromMs: lateMs,
      toMs: lateMs,
    });
    // The first that hears of it lets go of the other's steps as well.
    expect((await stepsAsked(panel)).flat().length).toBeGreaterThan(20);
    expect((await stepsAsked(coarse)).flat().length).toBeGreaterThan(10);
    for (const one of [coarse, panel]) expect(await dashboard.difference(one)).toBeUndefined();
  });

  it('of a part of a query that another one has too', async () => {
    await stepsAsked(panel);
    expect(await stepsAsked({ ...panel, text: '1 + sum(rate(requests_total[5m])) * 2' })).toEqual([ago(0)]);
  });

  it('with an info that each step makes still asks for new steps alone', async () => {
    const noted = { ...panel, text: 'rate(odd_counter[5m])' };
    await stepsAsked(noted);
    await dashboard.live(1);
    expect(await stepsAsked(noted)).toEqual([ago(1, 0)]);
    expect(await dashboard.difference(noted)).toBeUndefined();
  });

  it('asks all steps of an instant query, and the steps of its subqueries that are new', async () => {
    const instant = { ...panel, rangeMs: 0 };
    expect(await stepsAsked(instant)).toEqual([ago(0)]);
    expect(await stepsAsked(instant)).toEqual([ago(0)]);
    expect(dashboard.cache.counts().keptSteps).toBe(0);
    const inner = { ...instant, text: 'max_over_time(sum(temperature)[30m:1m])' };
    expect((await stepsAsked(inner)).flat()).toHaveLength(30);
    expect((await stepsAsked(inner)).flat()).toHaveLength(1);
  });

  it('keeps nothing of times that are not settled', async () => {
    const future = { ...panel, text: 'sum(temperature offset -10m)' };
    expect((await stepsAsked(future)).flat()).toHaveLength(241);
    expect((await stepsAsked(future)).flat()).toEqual(ago(...Array.from({ length: 41 }, (_, i) => 40 - i)));
  });

  it('keeps nothing of steps that miss a stream', async () => {
    const [domain] = dashboard.domains as [SimulatedDomain];
    domain.streams[0]!.missed = ago(100);
    await stepsAsked(panel);
    const again = (await stepsAsked(panel)).flat();
    // From the tick before it to five minutes after it.
    expect(again).toEqual([...stepsFrom(ago(101)[0]!, ago(80)[0]!), ...ago(0)]);
    domain.streams[0]!.missed = [];
    await stepsAsked(panel);
    expect(await stepsAsked(panel)).toEqual([ago(0)]);
  });
});

describe('what is kept', () => {
  const panel: Panel = { ...HOUR, text: 'sum(temperature)' };

  it('is not used under another policy', async () => {
    const [domain] = dashboard.domains as [SimulatedDomain];
    await stepsAsked(panel);
    domain.setPolicy([
      { match: '*', class: 'open' },
      { match: 'another', class: 'sealed' },
    ]);
    expect((await stepsAsked(panel)).map(({ length }) => length)).toEqual([1, 240]);
    domain.setPolicy([{ match: '*', class: 'sealed' }]);
    expect((await dashboard.ask(panel, true)).beside).toMatch(/^refused/);
  });

  it('is not used after what nobody kept a record of', async () => {
    const [domain] = dashboard.domains as [SimulatedDomain];
    await stepsAsked(panel);
    domain.restart(false);
    expect((await stepsAsked(panel)).flat()).toHaveLength(1);
    domain.restart(true);
    expect((await stepsAsked(panel)).map(({ length }) => length)).toEqual([1, 240]);
    domain.tellsLate = false;
    expect((await stepsAsked(panel)).map(({ length }) => length)).toEqual([1, 241]);
    expect((await stepsAsked(panel)).flat()).toHaveLength(241);
  });

  it('is not used where the domain does not hold it any more', async () => {
    const [domain] = dashboard.domains as [SimulatedDomain];
    await stepsAsked(panel);
    await domain.retain(ago(200)[0]!);
    // A step reads five minutes back.
    expect((await stepsAsked(panel)).map(({ length }) => length)).toEqual([1, 60]);
    expect(await dashboard.difference(panel)).toBeUndefined();
    // Who keeps more from now on does not hold again what is gone.
    await domain.retain(ago(400)[0]!);
    expect(await dashboard.difference(panel)).toBeUndefined();
  });

  it('is written down when it is used, and not used when it cannot be', async () => {
    await stepsAsked(panel);
    expect(dashboard.audited).toEqual([]);
    await stepsAsked(panel);
    expect(dashboard.audited).toEqual([
      {
        time: expect.stringMatching(/^\d{4}-.*Z$/),
        event: 'cache_hit',
        trace: expect.stringMatching(/^[0-9a-f]{32}$/),
        domain: 'eu',
        answer: 'partial',
        fragment: 'sum(temperature)',
        steps: 240,
        policy: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
    ]);
    const { audit } = dashboard.federation;
    audit!.write = () => {
      throw new Error('no space is left');
    };
    expect((await stepsAsked(panel)).map(({ length }) => length)).toEqual([1, 241]);
    expect(dashboard.cache.counts().hits).toBe(240);
  });

  it('is of no use to a domain that is silent', async () => {
    await stepsAsked(panel);
    dashboard.domains[0]!.silent = true;
    expect((await dashboard.ask(panel, true)).beside).toMatch(/^incomplete/);
  });
});

describe('a domain of several replicas', () => {
  const replicas: SimulatedDomain[] = [];
  afterEach(async () => {
    for (const replica of replicas.splice(0)) await replica.close();
  });

  async function openReplicas(): Promise<Domain> {
    for (const suffix of ['1', '2']) {
      const replica = await openSimulatedDomain('eu', dashboard.nowMs, 1);
      await fillHour(replica, dashboard.nowMs);
      replicas.push(replica);
      Object.assign(replica.way, { url: suffix });
    }
    return openDomain(
      { name: 'eu', jurisdiction: 'test' },
      replicas.map(({ way }) => way),
    );
  }

  it('is asked about a hole of one the other, and for the rest the first', async () => {
    const domain = await openReplicas();
    const grid = rangeGrid(dashboard.nowMs - 60 * MINUTE_MS, dashboard.nowMs, TICK_MS);
    await ask(domain, planOf('sum(temperature)', grid), grid);
    const hole: TimeRange = { fromMs: stepTime(grid, 100), toMs: stepTime(grid, 110) };
    domain.replicas[0]!.lastStatus = { ...domain.replicas[0]!.lastStatus!, gaps: [hole] };
    for (const { asked } of replicas) asked.length = 0;
    const part = await ask(domain, planOf('sum(temperature)', grid), grid);
    // A step reads five minutes back.
    expect(replicas.map(({ asked }) => asked.map(startAndSteps))).toEqual([
      [
        [0, 100],
        [131, 110],
      ].map(([from, steps]) => [stepTime(grid, from!), steps]),
      [[stepTime(grid, 100), 31]],
    ]);
    const [fragment] = part.answer!.ok ? part.answer!.value.fragments : [];
    expect(fragment && 'rows' in fragment && fragment.rows.map(({ columns }) => columns.present.includes(0))).toEqual([
      false,
    ]);
  });

  it('that fails a window lacks its steps, and no others', async () => {
    const domain = await openReplicas();
    const grid = rangeGrid(dashboard.nowMs - 60 * MINUTE_MS, dashboard.nowMs, TICK_MS);
    const plan = planOf('sum(temperature)', grid);
    await ask(domain, plan, grid);
    for (const replica of domain.replicas) {
      const status = replica.lastStatus!;
      replica.lastStatus = { ...status, gaps: [{ fromMs: stepTime(grid, 100), toMs: stepTime(grid, 110) }] };
    }
    for (const { way } of replicas) {
      const { send } = way.transport;
      way.transport.send = async (endpoint, body, context) => {
        if (startAndSteps(decodeQueryRequest(body))[0] === stepTime(grid, 100)) throw new Error('cut off');
        return send(endpoint, body, context);
      };
    }
    const { answer } = await ask(domain, plan, grid);
    if (answer?.ok !== true) throw new Error('nothing was answered');
    const { missing, coverage, fragments } = answer.value;
    expect(missing.map(({ range, outcome, reason }) => [range, outcome, reason])).toContainEqual([
      { fromMs: stepTime(grid, 100), toMs: stepTime(grid, 130) },
      'unreachable',
      expect.stringContaining('cut off'),
    ]);
    const [rows] = fragments.map((one) => ('rows' in one ? one.rows : []));
    expect(rows![0]!.columns.present.slice(0, 131)).toEqual(
      Uint8Array.from({ length: 131 }, (_, step) => Number(step < 100)),
    );
    expect(coverage[0]!.runs.slice(0, 2)).toEqual([
      { steps: 100, observed: 1, expected: 1 },
      { steps: expect.any(Number), observed: 0, expected: 1 },
    ]);
  });
});

const NEWCOMER = labelsOf({ __name__: 'newcomer', domain: 'eu', job: 'api', instance: 'eu-0' });

function planOf(text: string, grid: QueryGrid): Plan {
  return distribute(parseExpr(text), grid, { domainLabel: 'domain' });
}

function ask(domain: Domain, plan: Plan, grid: QueryGrid): Promise<Part> {
  const asking: Asking = {
    lookbackMs: 5 * MINUTE_MS,
    features: NO_FEATURES,
    deadlineMs: Date.now() + 10_000,
    signal: new AbortController().signal,
    trace: newTraceparent(),
    coverage: [coverageReads(plan.remainder, grid, 5 * MINUTE_MS)],
  };
  return askPart(domain, plan, asking, { registry: [domain], domainLabel: 'domain', cache: openColumnsCache(1e6) });
}

function startAndSteps({ fragments }: SimulatedDomain['asked'][number]): number[] {
  const [fragment] = fragments;
  if (fragment === undefined || fragment.answer === 'unread') throw new Error('one fragment is asked');
  return [fragment.grid.startMs, fragment.grid.steps];
}

async function fillHour(domain: SimulatedDomain, nowMs: number): Promise<void> {
  const fromMs = nowMs - 70 * MINUTE_MS;
  await domain.append(
    (builder) => {
      for (let timeMs = fromMs; timeMs <= nowMs; timeMs += TICK_MS) fillSamples(builder, domain.streams[0]!, timeMs);
    },
    { fromMs, toMs: nowMs },
  );
}

/** The steps of a tick from one time to another, both included. */
function stepsFrom(fromMs: number, toMs: number): number[] {
  const first = Math.ceil(fromMs / TICK_MS) * TICK_MS;
  return Array.from({ length: Math.floor((toMs - first) / TICK_MS) + 1 }, (_, i) => first + i * TICK_MS);
}
