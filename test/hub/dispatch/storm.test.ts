import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { askDomain } from '../../../src/hub/dispatch.ts';
import { randomFrom, type Random } from '../../random.ts';
import { fakeDomain, question, START_MS, type Reply } from './fakes.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: START_MS });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

const SEED = Number(process.env['COMITY_SEED'] ?? 0) || 20_260_801;
const ROUNDS = 60;

/** What a replica in this mood does with a request. */
function reply(random: Random, mood: string): Reply {
  const afterMs = random.int(0, mood === 'slow' ? 8_000 : 300);
  if (mood === 'dead') return { error: random.pick(['ECONNREFUSED', 'ECONNRESET']), afterMs: random.int(0, 5) };
  if (mood === 'fine') return { afterMs: 1 };
  if (mood === 'deaf') return { hangs: true };
  if (mood === 'well' && random.chance(0.95)) return { afterMs };
  return random.pick<Reply>([
    { afterMs },
    { afterMs, unreadable: true },
    { afterMs, status: 503, code: 'overloaded', retryAfterMs: random.int(0, 5_000) },
    { afterMs, status: 502, code: 'none' },
    { afterMs, status: 500, code: 'internal' },
    { afterMs, status: 429, code: 'limit' },
    { afterMs, error: 'UND_ERR_SOCKET' },
    { hangs: true },
  ]);
}

it.each(Array.from({ length: ROUNDS }, (_none, round) => round))(
  'a storm ends, within its bounds (round %i)',
  async (round) => {
    const random = randomFrom(SEED).fork(round);
    vi.spyOn(Math, 'random').mockImplementation(() => random.next());
    const maxConcurrent = random.int(1, 6);
    const maxQueued = random.int(0, 40);
    const moods = new Map<string, string>();
    const agents = Object.fromEntries(
      ['a', 'b', 'c'].slice(0, random.int(1, 3)).map((url) => [url, () => reply(random, moods.get(url) ?? 'well')]),
    );
    const fakes = fakeDomain(agents, { maxConcurrent, maxQueued });
    const { domain, underWay, events, seen } = fakes;
    const late: string[] = [];
    const calls: Promise<string>[] = [];

    const ask = async (): Promise<string> => {
      const caller = new AbortController();
      const goesMs = random.chance(0.2) ? Date.now() + random.int(0, 3_000) : Infinity;
      if (goesMs !== Infinity) setTimeout(() => caller.abort(), goesMs - Date.now());
      const deadlineMs = Date.now() + random.int(1, 15_000);
      const only = random.chance(0.1) ? random.pick(domain.replicas) : undefined;
      const outcome = await askDomain(domain, question({ deadlineMs, signal: caller.signal, only })).then(
        (answer) => (answer.ok ? 'ok' : answer.outcome),
        (error: { code?: string }) => error.code ?? 'fault',
      );
      if (Date.now() > Math.min(deadlineMs, goesMs))
        late.push(`${outcome} ${Date.now() - Math.min(deadlineMs, goesMs)} ms late`);
      return outcome;
    };
    for (let i = 0; i < 300; i++) {
      if (random.chance(0.05)) {
        moods.set(random.pick(domain.replicas).url, random.pick(['well', 'well', 'slow', 'odd', 'dead', 'deaf']));
      }
      // What heartbeats would say now and then.
      for (const replica of domain.replicas) if (random.chance(0.02)) replica.breaker.heard();
      for (let more = random.chance(0.1) ? random.int(1, 30) : 1; more > 0; more--) calls.push(ask());
      await vi.advanceTimersByTimeAsync(random.int(0, 200));
      expect(domain.queue.queued).toBeLessThanOrEqual(maxQueued);
      expect(domain.queue.running).toBe(underWay.now);
    }
    await vi.advanceTimersByTimeAsync(16_000);
    const outcomes = await Promise.all(calls);
    expect(underWay.most).toBeLessThanOrEqual(maxConcurrent);
    expect(late).toEqual([]);
    expect(new Set(outcomes).isSubsetOf(new Set(['ok', 'refused', 'timeout', 'unreachable', 'canceled']))).toBe(true);
    // Nothing is left of it: no request, no timer, nobody in the queue.
    expect([underWay.now, vi.getTimerCount(), domain.queue.running, domain.queue.queued]).toEqual([0, 0, 0, 0]);
    const hedged = events.filter((event) => event === 'hedged').length;
    expect(hedged).toBeLessThanOrEqual(0.05 * calls.length);
    expect(seen.length).toBeLessThanOrEqual(
      calls.length + hedged + events.filter((event) => event === 'retried').length,
    );

    // And when all is well again, so is the domain: its breakers wait for half a minute at most.
    for (const { url } of domain.replicas) moods.set(url, 'fine');
    await vi.advanceTimersByTimeAsync(30_000);
    const after = domain.replicas.map(() => askDomain(domain, question()));
    await vi.advanceTimersByTimeAsync(1_000);
    const again = askDomain(domain, question());
    await vi.advanceTimersByTimeAsync(1_000);
    expect((await Promise.all([...after, again])).at(-1)!.ok).toBe(true);
  },
);
