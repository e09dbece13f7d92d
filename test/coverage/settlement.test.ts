import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openCoverageDb, type CoverageDb } from '../../src/coverage/coverage-db.ts';
import type { SettlementDb } from '../../src/coverage/settlement-db.ts';
import { openSettlement, type LateAnswer, type Settlement } from '../../src/coverage/settlement.ts';
import type { LateInterval } from '../../src/model/batch.ts';
import { randomFrom } from '../random.ts';

const MINUTE = 60_000;

/** A time by its minute, far enough from 1970. */
const T = (minute: number): number => (1_000_000 + minute) * MINUTE;

let dir: string;
let db: CoverageDb;
let opened: CoverageDb[];
const failures: unknown[] = [];

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'comity-settlement-'));
  opened = [];
  db = open();
  failures.length = 0;
});

afterEach(() => {
  for (const one of opened) one.close();
  rmSync(dir, { recursive: true });
});

function open(): CoverageDb {
  const one = openCoverageDb(join(dir, 'x.sqlite'), 'process');
  opened.push(one);
  return one;
}

/** A process that starts on the files as they are. The one before wrote nothing more: it was killed. */
function start(nowMs = T(50), through: SettlementDb = open().settlement): Settlement {
  return openSettlement(through, nowMs, (error) => failures.push(error));
}

/** The time of a change from one minute to the end of another. */
function span(from: number, to = from): LateInterval {
  return { fromMs: T(from), toMs: T(to + 1) - 1 };
}

function change(settlement: Settlement, range: LateInterval): void {
  const begun = settlement.begin(range);
  begun.made(
    range.fromMs < begun.toldMs ? { fromMs: range.fromMs, toMs: Math.min(range.toMs, begun.toldMs - 1) } : undefined,
  );
}

function covers({ everything, intervals }: LateAnswer, minute: number): boolean {
  return everything || intervals.some(({ fromMs, toMs }) => fromMs <= T(minute) && toMs >= T(minute + 1) - 1);
}

function since(settlement: Settlement, sequence: number): LateAnswer {
  return settlement.since(settlement.epoch, sequence);
}

describe('a watermark that is told', () => {
  it('never goes back, rises by a second or more, and is kept over a kill', () => {
    const first = start();
    expect(first.tell(0)).toBe(0);
    expect([first.toldMs, first.tell(T(1)), first.tell(T(0)), first.tell(0)]).toEqual([-Infinity, T(1), T(1), T(1)]);
    expect([first.tell(T(1) + 999), first.tell(T(1) + 1_000)]).toEqual([T(1), T(1) + 1_000]);
    const second = start();
    expect(second.toldMs).toBe(T(1) + 1_000);
    expect(second.epoch).toBe(first.epoch);
  });

  it('from a time when the clock was far ahead begins a new epoch', () => {
    const first = start(T(100));
    first.tell(T(100));
    change(first, span(50));
    const second = start(T(0));
    expect([second.toldMs, second.epoch === first.epoch]).toEqual([-Infinity, false]);
    expect(second.since(first.epoch, 1)).toMatchObject({ everything: true, sequence: 0 });
    expect(since(second, 0).intervals).toEqual([]);
  });
});

describe('a change', () => {
  it('behind the watermark is told to who asks since before it, and to nobody twice', () => {
    const settlement = start();
    change(settlement, span(1));
    settlement.tell(T(10));
    change(settlement, span(10));
    expect(since(settlement, 0)).toMatchObject({ sequence: 0, everything: false, intervals: [] });
    change(settlement, span(3, 20));
    expect(since(settlement, 0)).toMatchObject({ sequence: 1, intervals: [{ ...span(3, 9), sequence: 1 }] });
    expect(since(settlement, 1).intervals).toEqual([]);
    change(settlement, span(3));
    expect(since(settlement, 1)).toMatchObject({ sequence: 2, intervals: [{ ...span(3), sequence: 2 }] });
    expect(settlement.changes).toBe(2);
  });

  it('that nobody has heard of is not said twice, however often it is made', () => {
    const settlement = start();
    settlement.tell(T(10));
    for (let i = 0; i < 100; i++) change(settlement, { fromMs: T(4) + i, toMs: T(4) + i });
    expect(since(settlement, 0)).toMatchObject({ sequence: 1, intervals: [span(4)] });
  });

  it('is told when the watermark rises past it before it is made', () => {
    const settlement = start();
    settlement.tell(T(10));
    const begun = settlement.begin(span(12));
    settlement.tell(T(20));
    begun.made(undefined);
    expect(since(settlement, 0).intervals).toMatchObject([span(12)]);
  });

  it('that failed may have been made in part', () => {
    const settlement = start();
    settlement.tell(T(10));
    settlement.begin(span(8, 12)).failed();
    settlement.begin(span(13)).failed();
    expect(since(settlement, 0).intervals).toMatchObject([span(8, 9)]);
  });

  it.each<{ name: string; run(settlement: Settlement): void; want: LateInterval[] }>([
    { name: 'behind the watermark', run: (one) => void one.begin(span(5)), want: [span(5)] },
    {
      name: 'that the watermark rose past meanwhile',
      run(one) {
        one.begin(span(12));
        one.tell(T(20));
      },
      want: [span(12)],
    },
    {
      name: 'beside others that ended',
      run(one) {
        one.begin(span(5));
        change(one, span(1));
        one.flush();
      },
      want: [span(1), span(5)],
    },
    { name: 'before the watermark', run: (one) => void one.begin(span(12)), want: [] },
    {
      name: 'that is over and forgotten',
      run(one) {
        change(one, span(5));
        one.since(one.epoch, 0);
        one.flush();
      },
      want: [span(5)],
    },
  ])('that a kill cut short is told: one $name', ({ run, want }) => {
    const first = start();
    first.tell(T(10));
    run(first);
    expect(since(start(), 0).intervals.map(({ fromMs, toMs }) => ({ fromMs, toMs }))).toEqual(want);
  });

  it('is not told again by every start', () => {
    const first = start();
    first.tell(T(10));
    first.begin(span(5));
    const second = start();
    expect(since(second, 0).sequence).toBe(1);
    second.flush();
    expect(since(start(), 1)).toMatchObject({ sequence: 1, intervals: [] });
  });
});

it('who has numbers of another epoch, or none that was given, is to let go of everything', () => {
  const settlement = start();
  settlement.tell(T(10));
  change(settlement, span(5));
  expect(settlement.since('another', 0).everything).toBe(true);
  for (const sequence of [2, -1, Number.NaN]) expect(since(settlement, sequence).everything).toBe(true);
  for (const sequence of [0, 1]) expect(since(settlement, sequence).everything).toBe(false);
});

describe('a database that cannot be written', () => {
  let isFull: boolean;
  let tries: number;
  let settlement: Settlement;
  beforeEach(() => {
    isFull = false;
    tries = 0;
    settlement = start(T(0), {
      load: db.settlement.load,
      save(...all) {
        tries++;
        if (isFull) throw new Error('SQLITE_FULL');
        db.settlement.save(...all);
      },
    });
    settlement.tell(T(10));
  });

  it('keeps the watermark where it is and refuses what would change behind it, nothing else', () => {
    isFull = true;
    const before = tries;
    expect([settlement.tell(T(11)), settlement.tell(T(12))]).toEqual([T(10), T(10)]);
    expect(() => settlement.begin(span(5))).toThrow('cannot be written down');
    change(settlement, span(10));
    // Each try may wait for a lock.
    expect([tries - before, failures.length]).toEqual([1, 1]);
    isFull = false;
    settlement.flush();
    change(settlement, span(5));
    expect([settlement.tell(T(12)), since(settlement, 0).intervals.length]).toEqual([T(12), 1]);
  });

  it('has everybody let go of everything until a change is written down, and then of that', () => {
    const begun = settlement.begin(span(5));
    isFull = true;
    begun.made(span(5));
    expect(since(settlement, 0)).toMatchObject({ everything: true, sequence: 0 });
    settlement.flush();
    expect(since(settlement, 0).everything).toBe(true);
    isFull = false;
    settlement.flush();
    expect(since(settlement, 0)).toMatchObject({ everything: false, sequence: 1, intervals: [span(5)] });
  });
});

const seed = Number(process.env['COMITY_SEED'] ?? Date.now() % 1_000_000);

it('after a start what others know is said again when it changes again', () => {
  const first = start();
  first.tell(T(10));
  change(first, span(3, 6));
  const { sequence } = since(first, 0);
  first.flush();
  const second = start();
  change(second, span(4));
  expect(since(second, sequence).intervals).toMatchObject([span(4)]);
});

it('a change that could not be written down was announced, and so outlives a kill', () => {
  let refuse = (): boolean => false;
  const settlement = start(T(0), {
    load: db.settlement.load,
    save(...all) {
      if (refuse()) throw new Error('SQLITE_FULL');
      db.settlement.save(...all);
    },
  });
  settlement.tell(T(10));
  const begun = settlement.begin(span(5));
  refuse = () => true;
  begun.made(span(5));
  // The next try fails, the one after it does not: it must not take the announcement back.
  let tries = 0;
  refuse = () => ++tries === 1;
  settlement.flush();
  expect(tries).toBeGreaterThan(0);
  expect(since(start(), 0).intervals).toMatchObject([span(5)]);
});

describe(`random changes, kills and askers, seed ${seed}`, () => {
  it('every asker is told all that changed since, watermarks never fall, numbers are never used again', () => {
    const random = randomFrom(seed);
    let settlement = start();
    let told = 0;
    let highest = 0;
    let now = 0;
    /** What was stored, and the highest number that was told before it could be read. */
    const made: { readonly from: number; readonly to: number; readonly afterSequence: number }[] = [];
    const open: { readonly change: ReturnType<Settlement['begin']>; readonly from: number; readonly to: number }[] = [];
    const askers = [0];

    function store({ from, to, change: begun }: (typeof open)[number]): void {
      const end = Math.min(to, begun.toldMs / MINUTE - 1_000_000 - 1);
      // Of what lies past the watermark at this moment nobody may have kept an answer.
      const watermark = settlement.toldMs / MINUTE - 1_000_000 - 1;
      if (from <= watermark) made.push({ from, to: Math.min(to, watermark), afterSequence: highest });
      if (random.chance(0.1)) begun.failed();
      else begun.made(from <= end ? { fromMs: T(from), toMs: T(end + 1) - 1 } : undefined);
    }

    for (let step = 0; step < 600; step++) {
      now += random.int(0, 2);
      const from = now - (random.chance(0.3) ? random.int(0, 60) : 0);
      const action = random.weighted([
        [6, 'begin'],
        [6, 'made'],
        [4, 'tell'],
        [3, 'ask'],
        [1, 'flush'],
        [0.5, 'kill'],
      ] as const);
      if (action === 'begin') {
        const to = from + random.int(0, 3);
        open.push({ change: settlement.begin(span(from, to)), from, to });
      } else if (action === 'made' && open.length > 0) {
        store(open.splice(random.int(0, open.length - 1), 1)[0]!);
      } else if (action === 'tell') {
        const next = settlement.tell(T(now - random.int(0, 20)));
        expect(next).toBeGreaterThanOrEqual(told);
        told = next;
      } else if (action === 'ask') {
        const asker = random.chance(0.5) ? highest : random.pick(askers);
        const answer = since(settlement, asker);
        expect(answer.sequence).toBeGreaterThanOrEqual(highest);
        highest = answer.sequence;
        for (const change of made.filter(({ afterSequence }) => afterSequence >= asker)) {
          for (let minute = change.from; minute <= change.to; minute++) {
            expect(covers(answer, minute), `minute ${minute} since ${asker}, step ${step}`).toBe(true);
          }
        }
        askers.push(answer.sequence);
      } else if (action === 'flush') {
        settlement.flush();
      } else if (action === 'kill') {
        // Some of what was begun is stored, and nobody could say so any more.
        const watermark = settlement.toldMs / MINUTE - 1_000_000 - 1;
        for (const one of open.splice(0).filter(() => random.chance(0.5))) {
          if (one.from <= watermark) {
            made.push({ from: one.from, to: Math.min(one.to, watermark), afterSequence: highest });
          }
        }
        settlement = start(T(now));
        expect(settlement.tell(0)).toBe(told);
      }
    }
    expect(made.length).toBeGreaterThan(20);
  });
});
