import { describe, expect, it } from 'vitest';
import { loadGate, type LoadGate, type LoadShare } from '../../src/agent/load-gate.ts';
import { ShedError } from '../../src/agent/shed-error.ts';
import type { Permit } from '../../src/border/admission.ts';
import { toComityError } from '../../src/base/errors.ts';
import { LIMITS } from '../../src/base/limits.ts';
import { randomFrom } from '../random.ts';
import { fakeTime, settled, type FakeTime } from './fake-time.ts';

/** Heavy ones get 700 of the cost and 3 places; up to 25 is small. */
const SHARE: LoadShare = { concurrent: 4, queued: 6, cost: 800, queueMs: 10_000 };

const FAR_MS = 1_000_000;
const SENT = Promise.resolve();

interface Bench {
  readonly gate: LoadGate;
  readonly time: FakeTime;
  /** What happened, in order: `+a` let in, `-a done`, `!a reason`. */
  readonly log: string[];
  ask(name: string, cost: number, options?: { deadlineMs?: number; bytes?: number; sent?: Promise<void> }): void;
  done(name: string, bytes?: number): Promise<void>;
  abort(name: string): Promise<void>;
}

function bench(share: LoadShare = SHARE): Bench {
  const time = fakeTime();
  const gate = loadGate({ share, now: time.now, later: time.later });
  const log: string[] = [];
  const permits = new Map<string, Permit & { readonly cost: number }>();
  const aborts = new Map<string, AbortController>();
  return {
    gate,
    time,
    log,
    ask(name, cost, { deadlineMs = FAR_MS, bytes = 0, sent = SENT } = {}) {
      const abort = new AbortController();
      aborts.set(name, abort);
      gate.admit({ cost, bytes, deadlineMs }, abort.signal, sent).then(
        (permit) => {
          log.push(`+${name}`);
          permits.set(name, { ...permit, cost });
        },
        (error: unknown) =>
          log.push(`!${name} ${error instanceof ShedError ? error.reason : toComityError(error).code}`),
      );
    },
    async done(name, bytes = 0) {
      const permit = permits.get(name)!;
      permits.delete(name);
      permit.done(permit.cost, bytes);
      await settled();
    },
    async abort(name) {
      aborts.get(name)!.abort();
      await settled();
    },
  };
}

describe('what is let in', () => {
  /** `a100`: asks; `-a`: is done; `~a`: hangs up; `@5`: goes on to 5 s. */
  async function check(script: string, want: string, share = SHARE): Promise<void> {
    const on = bench(share);
    for (const word of script.split(' ')) {
      const [, mark, name, number] = /^([-~@]?)([a-z]*)([0-9.]*)$/.exec(word)!;
      if (mark === '@') await on.time.goTo(Number(number) * 1_000);
      else if (mark === '-') await on.done(name!);
      else if (mark === '~') await on.abort(name!);
      else on.ask(name!, Number(number));
      await settled();
    }
    expect(on.log.join(', ')).toBe(want);
  }

  it.each([
    ['room for all', 'a100 b100 c100', '+a, +b, +c'],
    ['one place is not for heavy ones', 'a100 b100 c100 d100 -a', '+a, +b, +c, +d'],
    ['a small one has a place of its own', 'a100 b100 c100 d100 e5 -a', '+a, +b, +c, +e, +d'],
    ['a part of the cost is not for heavy ones', 'a600 b101 e25 -a', '+a, +e, +b'],
    ['no more at once than there are places', 'a5 b5 c5 d5 e5 -b', '+a, +b, +c, +d, +e'],
    ['in order among equals', 'a700 b200 c200 d200 -a', '+a, +b, +c, +d'],
    ['lighter ones pass one that waits', 'a500 b300 c100 -a', '+a, +c, +b'],
    ['and do so no longer after a quarter of the time', 'a500 b300 @2.5 c100 -a', '+a, +b, +c'],
    ['nor when they have come before that', 'a400 b200 c500 d300 @2.5 -b -a', '+a, +b, +c'],
    ['but small ones do, one at a time, in what is kept for them', 'a500 b300 @2.5 e5 f5', '+a, +e'],
    ['one after the other', 'a500 b300 @2.5 e5 f5 -e', '+a, +e, +f'],
    ['one that is too heavy is told so at once', 'a701 b700', '!a too_heavy, +b'],
    ['the queue has an end', 'a700 b700 c700 d700 e700 f700 g700 h700 -a', '+a, !h queue_full, +b'],
    ['a small one needs no place in it', 'a700 b700 c700 d700 e700 f700 g700 h5', '+a, +h'],
    ['waiting has an end', 'a700 b100 @9.9 @10 -a', '+a, !b queue_time'],
    ['who hangs up leaves the queue', 'a700 b700 c100 @3 ~b', '+a, !b canceled'],
    ['and what it kept for itself is free', 'a500 b300 @3 c100 ~b', '+a, !b canceled, +c'],
    ['who has hung up before is not let in', 'a700 b100 ~b -a', '+a, !b canceled'],
  ])('%s', (_what, script, want) => check(script, want));

  it('has no place for small ones alone where there is one', () =>
    check('a700 e5 -a', '+a, +e', { ...SHARE, concurrent: 1 }));
  it('has no queue where none is wanted', () =>
    check('a700 b100 e5', '+a, !b queue_full, +e', { ...SHARE, queued: 0 }));
});

describe('time left', () => {
  it('ends the wait when too little is left for the work', async () => {
    const on = bench({ ...SHARE, cost: 800_000_000 });
    on.ask('a', 700_000_000);
    // Work of half a second at the least.
    on.ask('b', 100_000_000, { deadlineMs: 2_000 });
    on.ask('c', 100_000_000, { deadlineMs: 400 });
    await on.time.goTo(1_499);
    expect(on.log).toEqual(['+a', '!c deadline']);
    await on.time.goTo(1_500);
    expect(on.log).toEqual(['+a', '!c deadline', '!b deadline']);
  });
});

describe('bytes of answers', () => {
  const most = LIMITS.federationAnswerBytes;

  it('are room until the answer is sent', async () => {
    const on = bench();
    const { promise: sent, resolve } = Promise.withResolvers<void>();
    on.ask('a', 1, { bytes: most, sent });
    on.ask('b', 1, { bytes: 10 });
    await settled();
    expect(on.log).toEqual(['+a']);
    await on.done('a', most - 5);
    expect(on.log).toEqual(['+a']);
    expect(on.gate.load()).toEqual({ running: 0, queued: 1, cost: 0, bytes: most - 5 });
    resolve();
    await settled();
    expect(on.log).toEqual(['+a', '+b']);
    await on.done('b', 3);
    expect(on.gate.load()).toEqual({ running: 0, queued: 0, cost: 0, bytes: 0 });
  });

  it('become what they really are', async () => {
    const on = bench();
    const never = new Promise<void>(() => {});
    on.ask('a', 1, { bytes: most, sent: never });
    on.ask('b', 1, { bytes: 10 });
    await settled();
    await on.done('a', 1_000);
    expect(on.log).toEqual(['+a', '+b']);
  });
});

async function refusal(on: Bench, cost: number): Promise<ShedError> {
  const error: unknown = await on.gate
    .admit({ cost, bytes: 0, deadlineMs: FAR_MS }, new AbortController().signal, SENT)
    .then(
      () => undefined,
      (reason: unknown) => reason,
    );
  if (!(error instanceof ShedError)) throw new Error('it was let in');
  return error;
}

describe('when to try again', () => {
  it.each([
    [900, 1],
    [2_900, 3],
    [9_900, 10],
    [100_000, 30],
  ])('is told from the work under way and the pace: after %i ms for one as heavy', async (tookMs, wantSeconds) => {
    const on = bench({ concurrent: 4, queued: 0, cost: 800_000_000, queueMs: 10_000 });
    // So many that what is taken for granted at first no longer counts.
    for (let i = 1; i <= 100; i++) {
      on.ask('a', 700_000_000);
      await settled();
      await on.time.goTo(i * tookMs);
      await on.done('a');
    }
    on.ask('a', 700_000_000);
    await settled();
    const { status, code, retryAfterSeconds } = await refusal(on, 700_000_000);
    expect({ status, code }).toEqual({ status: 503, code: 'overloaded' });
    expect(retryAfterSeconds).toBe(wantSeconds);
  });

  it('is not told of what never fits', async () => {
    const { status, code, retryAfterSeconds } = await refusal(bench(), 701);
    expect({ status, code, retryAfterSeconds }).toEqual({ status: 429, code: 'limit', retryAfterSeconds: undefined });
  });
});

it('counts those that wait as work to be done', async () => {
  const on = bench({ concurrent: 1, queued: 1, cost: 800_000_000, queueMs: 10_000 });
  on.ask('a', 20_000_000);
  on.ask('b', 70_000_000);
  await settled();
  const error = await refusal(on, 1);
  // At the pace that is taken for granted at first.
  expect([error.reason, error.retryAfterSeconds]).toEqual(['queue_full', 9]);
});

it('does not begin for somebody who is gone', async () => {
  const { gate } = bench();
  const gone = AbortSignal.abort();
  await expect(gate.admit({ cost: 1, bytes: 0, deadlineMs: FAR_MS }, gone, SENT)).rejects.toThrow('cancelled');
  expect(gate.load().running).toBe(0);
});

it('gives a permit back once, however often it is told', async () => {
  const { gate } = bench();
  const permit = await gate.admit({ cost: 100, bytes: 7, deadlineMs: FAR_MS }, new AbortController().signal, SENT);
  permit.done(100, 7);
  permit.done(100, 7);
  await settled();
  expect(gate.load()).toEqual({ running: 0, queued: 0, cost: 0, bytes: 0 });
});

const SEED = Number(process.env['COMITY_SEED'] ?? 20_261_122);
const ROUNDS = 60;

it(`holds its promises on random schedules (COMITY_SEED=${SEED})`, async () => {
  for (let round = 0; round < ROUNDS; round++) await schedule(SEED + round);
});

/** Requests of all kinds come, end, fail, hang up and wait; after each event what was promised is looked at. */
async function schedule(seed: number): Promise<void> {
  const random = randomFrom(seed);
  const share: LoadShare = {
    concurrent: random.int(1, 6),
    queued: random.int(0, 12),
    cost: 800,
    queueMs: 10_000,
  };
  const time = fakeTime();
  const counts = { admitted: 0, shed: 0, done: 0 };
  const events = {
    admitted: () => void counts.admitted++,
    shed: () => void counts.shed++,
    done: () => void counts.done++,
  };
  const gate = loadGate({ share, events, now: time.now, later: time.later });
  interface Asked {
    readonly at: number;
    readonly cost: number;
    readonly sinceMs: number;
    readonly abort: AbortController;
    permit?: Permit;
    end?: string;
  }
  const all: Asked[] = [];
  const running = new Set<Asked>();
  const waiting = new Set<Asked>();
  const failed = (what: string): Error => new Error(`seed ${seed}, after ${all.length} requests: ${what}`);

  const look = (): void => {
    const { running: places, cost, queued, bytes } = gate.load();
    const sum = [...running].reduce((total, one) => total + one.cost, 0);
    if (places !== running.size || cost !== sum)
      throw failed(`${places} with ${cost} are counted, ${running.size} with ${sum} run`);
    if (places > share.concurrent || cost > share.cost) throw failed(`${places} run with ${cost}`);
    if (queued !== waiting.size || queued > share.queued) throw failed(`${queued} wait`);
    if (bytes !== 2 * running.size) throw failed(`${bytes} bytes are held`);
  };

  for (let step = 0; step < 200; step++) {
    const draw = random.next();
    if (draw < 0.45) {
      const asked: Asked = {
        at: all.length,
        cost: random.pick([0, 1, 20, 25, 26, 100, 100, 300, 700, 701]),
        sinceMs: time.now(),
        abort: new AbortController(),
      };
      all.push(asked);
      waiting.add(asked);
      const claim = { cost: asked.cost, bytes: 2, deadlineMs: time.now() + random.pick([500, 30_000]) };
      gate.admit(claim, asked.abort.signal, SENT).then(
        (permit) => {
          for (const one of waiting) {
            if (one.cost === asked.cost && one.at < asked.at) asked.end = 'passed an equal';
          }
          waiting.delete(asked);
          running.add(asked);
          asked.permit = permit;
        },
        (error: unknown) => {
          waiting.delete(asked);
          asked.end = error instanceof ShedError ? error.reason : toComityError(error).code;
        },
      );
    } else if (draw < 0.75 && running.size > 0) {
      const one = random.pick([...running]);
      running.delete(one);
      one.permit!.done(random.pick([0, one.cost, one.cost * 3]), random.int(0, 3));
    } else if (draw < 0.82 && all.length > 0) {
      random.pick(all).abort.abort();
    } else {
      await time.goTo(time.now() + random.pick([1, 100, 3_000]));
    }
    await settled();
    look();
    for (const one of all) {
      if (one.end === 'passed an equal') throw failed(`request ${one.at} passed an equal that came before it`);
      if (one.end === 'queue_time' && time.now() - one.sinceMs < share.queueMs)
        throw failed('one was given up too early');
      if (waiting.has(one) && time.now() - one.sinceMs >= share.queueMs) throw failed('one waits for too long');
      if ((one.end === 'too_heavy') !== (one.cost > 700 && one.end !== undefined && one.end !== 'canceled')) {
        throw failed(`${one.cost} is ${one.end}`);
      }
    }
    if (running.size === 0 && waiting.size > 0) throw failed('nothing runs, and something waits');
  }
  for (const one of running) one.permit!.done(1, 0);
  running.clear();
  while (waiting.size > 0) {
    await time.goTo(time.now() + 100);
    for (const one of running) one.permit!.done(1, 0);
    running.clear();
    await settled();
  }
  for (const one of running) one.permit!.done(1, 0);
  await settled();
  expect(gate.load()).toEqual({ running: 0, queued: 0, cost: 0, bytes: 0 });
  expect(time.timers).toBe(0);
  const lettingIn = all.filter(({ permit }) => permit !== undefined).length;
  expect(counts.admitted).toBe(lettingIn);
  expect(counts.done).toBe(lettingIn);
  expect(counts.shed).toBe(all.filter(({ end }) => end !== undefined && end !== 'canceled').length);
}

it('starves no heavy request while light ones keep coming', async () => {
  const time = fakeTime();
  const gate = loadGate({ share: SHARE, now: time.now, later: time.later });
  const never = new AbortController().signal;
  let light: Permit[] = [];
  const more = (): void => {
    for (const cost of [5, 20, 100, 300]) {
      gate.admit({ cost, bytes: 0, deadlineMs: FAR_MS }, never, SENT).then(
        (permit) => light.push(permit),
        () => undefined,
      );
    }
  };
  more();
  more();
  await settled();
  let heavyAtMs = Infinity;
  void gate.admit({ cost: 700, bytes: 0, deadlineMs: FAR_MS }, never, SENT).then(() => (heavyAtMs = time.now()));
  for (let ms = 100; ms < 10_000 && heavyAtMs === Infinity; ms += 100) {
    await time.goTo(ms);
    const [oldest] = light;
    light = light.slice(1);
    oldest?.done(100, 0);
    more();
    await settled();
  }
  expect(heavyAtMs).toBeLessThan(5_000);
});
