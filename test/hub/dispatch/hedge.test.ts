import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { askDomain } from '../../../src/hub/dispatch.ts';
import { openLatencies } from '../../../src/hub/dispatch/latencies.ts';
import type { Domain, Replica } from '../../../src/hub/registry.ts';
import { fakeDomain, question, START_MS, statusOf, type Fakes, type Reply } from './fakes.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: START_MS });
});
afterEach(() => {
  vi.useRealTimers();
});

const USUAL_MS = 100;
const SLOW: Reply = { afterMs: 5_000 };
const QUICK: Reply = { afterMs: USUAL_MS };

/** Two replicas of which the first has become slow after answering as usual for long enough. */
async function turnedSlow(first: Reply = SLOW, other: Reply = QUICK, known = 40): Promise<Fakes> {
  const fakes = fakeDomain({ a: (n) => (n < known ? QUICK : first), b: [other] });
  for (let i = 0; i < known; i++) {
    const asked = askDomain(fakes.domain, question());
    await vi.advanceTimersByTimeAsync(USUAL_MS);
    expect((await asked).ok).toBe(true);
  }
  fakes.seen.splice(0);
  fakes.events.splice(0);
  return fakes;
}

/** How long a question takes, and where its answer comes from. */
async function ask({ domain }: Fakes): Promise<string> {
  const startMs = Date.now();
  const asked = askDomain(domain, question()).then(
    (answer) => `${answer.ok ? answer.replica.url : answer.outcome} after ${Date.now() - startMs}`,
  );
  await vi.advanceTimersByTimeAsync(40_000);
  return asked;
}

it('what takes longer than usual is asked of another replica, and the first answer counts', async () => {
  const fakes = await turnedSlow();
  expect(await ask(fakes)).toBe('b after 200');
  expect(fakes.events).toEqual(['hedged', 'ok']);
  // The slow one is let off.
  expect(fakes.seen.map(({ url, atMs, aborted }) => [url, atMs - fakes.seen[0]!.atMs, aborted])).toEqual([
    ['a', 0, true],
    ['b', USUAL_MS, false],
  ]);
  expect(fakes.underWay.now).toBe(0);
});

describe('not hedged is', () => {
  const second = ({ domain }: Fakes): Replica => domain.replicas[1]!;
  it.each<[what: string, change: (fakes: Fakes) => void]>([
    ['what has no other replica within reach', (fakes) => (second(fakes).reachable = false)],
    [
      'what the other has a hole in',
      (fakes) => (second(fakes).lastStatus = statusOf('eu', { gaps: [{ fromMs: 0, toMs: Number.MAX_SAFE_INTEGER }] })),
    ],
    [
      'what the other’s breaker keeps off',
      (fakes) => {
        for (let i = 0; i < 5; i++) second(fakes).breaker.enter()!.failed('x');
      },
    ],
    [
      'what finds no allowance',
      ({ domain }) => Object.assign(domain, { hedges: { asked: () => undefined, take: () => false } }),
    ],
  ])('%s', async (_what, change) => {
    const fakes = await turnedSlow();
    change(fakes);
    const asked = askDomain(fakes.domain, question({ window: { fromMs: 0, toMs: START_MS } }));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(await asked).toMatchObject({ ok: true, replica: { url: 'a' } });
    expect(fakes.seen.map(({ url }) => url)).toEqual(['a']);
  });

  it('what comes while others wait', async () => {
    const fakes = await turnedSlow();
    const full = Array.from({ length: 8 }, () => askDomain(fakes.domain, question()));
    await vi.advanceTimersByTimeAsync(5_000);
    await Promise.all(full);
    expect(fakes.seen.map(({ url }) => url).join('')).toBe('a'.repeat(8));
  });

  it('what there is too little known of', async () => {
    const fakes = await turnedSlow(SLOW, QUICK, 19);
    expect(await ask(fakes)).toBe('a after 5000');
    expect(fakes.seen.length).toBe(1);
  });
});

it('a hedge that fails leaves the first answer, and a first that fails the hedge’s', async () => {
  expect(await ask(await turnedSlow(SLOW, { error: 'ECONNRESET' }))).toBe('a after 5000');
  expect(await ask(await turnedSlow({ error: 'ECONNRESET', afterMs: 150 }, QUICK))).toBe('b after 200');
  // A refusal is an answer as well.
  expect(await ask(await turnedSlow(SLOW, { status: 400, code: 'bad_data', afterMs: 1 }))).toBe('refused after 101');
});

it('no more than one in twenty', async () => {
  const fakes = await turnedSlow(SLOW, QUICK, 40);
  let hedges = 0;
  for (let i = 0; i < 400; i++) {
    const asked = askDomain(fakes.domain, question());
    // Slow from now on for all of them: only the allowance holds hedges back.
    fakes.domain.latencies.query = usually(USUAL_MS);
    await vi.advanceTimersByTimeAsync(5_000);
    await asked;
    hedges = fakes.events.filter((event) => event === 'hedged').length;
    expect(hedges).toBeLessThanOrEqual((i + 41) * 0.05);
  }
  expect(hedges).toBe(22);
});

function usually(ms: number): Domain['latencies']['query'] {
  const latencies = openLatencies();
  for (let i = 0; i < 20; i++) latencies.add(ms);
  return latencies;
}

it('knows what is usual from twenty answers on, and forgets what was', () => {
  const latencies = openLatencies();
  for (let ms = 1; ms < 20; ms++) latencies.add(ms);
  expect(latencies.p95()).toBeUndefined();
  latencies.add(20);
  expect(latencies.p95()).toBe(19);
  for (let i = 0; i < 128; i++) latencies.add(1);
  expect(latencies.p95()).toBe(1);
});
