import { labelsOf, type Labels } from '../../src/model/labels.ts';

/**
 * What is sent when. All of it follows from a few numbers, so that nothing of it has to be remembered: time goes in rounds, and
 * whether a series has a sample in a round, which one, and with which round it is sent can be computed at any time.
 */
export interface Schedule {
  readonly seed: number;
  readonly stepMs: number;
  /** Rounds that a sample may be sent later than its own. */
  readonly delayMax: number;
  /** Series that stay, in order of kind. */
  readonly lasting: readonly Series[];
  /** Places of series that come and go. */
  readonly slots: number;
  /** Rounds that one of those lives. */
  readonly life: number;
  timeOf(series: Series, round: number): number;
  /** The first round of a series whose time is not before `ms`; -1 is the zero from which additions count. */
  roundFrom(series: Series, ms: number): number;
  /** The series that has a slot in a round. */
  inSlot(slot: number, round: number): Series;
}

export const KINDS = [
  'counter',
  'gauge',
  'churn',
  'otlp_gauge',
  'otlp_sum',
  'histogram',
  'delta',
  'delta_histogram',
] as const;
export type Kind = (typeof KINDS)[number];

export interface Series {
  readonly kind: Kind;
  /** The value of its label `series`, which no other has. */
  readonly key: string;
  readonly number: number;
  readonly labels: Labels;
  /** One of `BUCKETS` parts of a kind, a label too. */
  readonly bucket: number;
  /** Of one that comes and goes: how many there were in its slot before. */
  readonly lifeNumber: number;
  readonly slot: number;
  readonly firstRound: number;
  readonly lastRound: number;
}

/** As the agent names the series of each kind. */
export const METRIC: Readonly<Record<Kind, string>> = {
  counter: 'soak_counter_total',
  gauge: 'soak_gauge',
  churn: 'soak_churn',
  otlp_gauge: 'soak_otlp_gauge',
  otlp_sum: 'soak_otlp_sum_total',
  histogram: 'soak_latency',
  delta: 'soak_delta_total',
  delta_histogram: 'soak_delta_latency',
};

export const BUCKETS = 8;

/** Of the series at a time, the part of each kind. */
const PARTS: Readonly<Record<Kind, number>> = {
  counter: 0.25,
  gauge: 0.25,
  churn: 0.1,
  otlp_gauge: 0.1,
  otlp_sum: 0.1,
  histogram: 0.08,
  delta: 0.06,
  delta_histogram: 0.06,
};

export interface ScheduleOptions {
  readonly seed: number;
  readonly series: number;
  readonly baseMs: number;
  readonly stepMs: number;
  readonly rounds: number;
}

/** Samples come late by less than this, which is less than an agent's out-of-order window. */
const LATE_MS_MAX = 20 * 60 * 1000;
const DELAY_MAX = 40;

export function makeSchedule({ seed, series, baseMs, stepMs, rounds }: ScheduleOptions): Schedule {
  const slots = Math.max(1, Math.round(series * PARTS.churn));
  const life = Math.min(Math.max(Math.floor(rounds / 20), 12), 300);
  const lasting: Series[] = [];
  for (const kind of KINDS) {
    if (kind === 'churn') continue;
    const count = Math.max(1, Math.round(series * PARTS[kind]));
    for (let i = 0; i < count; i++) {
      const number = lasting.length;
      lasting.push(makeSeries(kind, String(number), number, { slot: 0, lifeNumber: 0 }, 0, Infinity));
    }
  }

  function offsetOf({ number }: Series): number {
    return hash(seed, number, 0, 1) % Math.floor(stepMs / 2);
  }

  return {
    seed,
    stepMs,
    delayMax: Math.max(1, Math.min(DELAY_MAX, Math.floor(LATE_MS_MAX / stepMs))),
    lasting,
    slots,
    life,
    timeOf(one, round) {
      if (round < 0) return baseMs + offsetOf(one) - 1;
      return baseMs + round * stepMs + offsetOf(one);
    },
    roundFrom(one, ms) {
      const startMs = baseMs + offsetOf(one);
      if (ms <= startMs - 1 && isDelta(one.kind)) return -1;
      return Math.max(one.firstRound, Math.ceil((ms - startMs) / stepMs));
    },
    inSlot(slot, round) {
      // Slots begin their lives at different rounds.
      const shift = Math.floor((slot * life) / slots);
      const lifeNumber = Math.floor((round + shift) / life);
      const firstRound = Math.max(0, lifeNumber * life - shift);
      const number = 1_000_000 + lifeNumber * slots + slot;
      const place = { slot, lifeNumber };
      return makeSeries(
        'churn',
        `c${slot}-${lifeNumber}`,
        number,
        place,
        firstRound,
        (lifeNumber + 1) * life - shift - 1,
      );
    },
  };

  function makeSeries(
    kind: Kind,
    key: string,
    number: number,
    { slot, lifeNumber }: Pick<Series, 'slot' | 'lifeNumber'>,
    firstRound: number,
    lastRound: number,
  ): Series {
    const bucket = number % BUCKETS;
    const canary = kind === 'churn' ? { canary: canaryOf(seed, number) } : {};
    const labels = labelsOf({ __name__: METRIC[kind], job: 'soak', series: key, bucket: `b${bucket}`, ...canary });
    return { kind, key, number, labels, bucket, slot, lifeNumber, firstRound, lastRound };
  }
}

/** A text that is in no file unless this series' labels are. */
function canaryOf(seed: number, number: number): string {
  return `${canaryPrefix(seed)}${number}z`;
}

export function canaryPrefix(seed: number): string {
  return `canary-${(hash(seed, 0, 0, 9) >>> 0).toString(36)}-`;
}

export function isDelta(kind: Kind): boolean {
  return kind === 'delta' || kind === 'delta_histogram';
}

export function isNative(kind: Kind): boolean {
  return kind === 'histogram' || kind === 'delta_histogram';
}

/** One of so many samples is never sent. */
const MISSING = 50;
/** One of so many is sent late. */
const LATE = 8;
/** Gauges end with a staleness marker every so many rounds, and are silent for some. */
const PAUSE_EVERY = 61;
const PAUSE_ROUNDS = 4;

/** Whether a series has a sample in a round, a staleness marker, or nothing. */
export function cellOf({ seed }: Schedule, series: Series, round: number): 'none' | 'sample' | 'stale' {
  const { kind, number, firstRound, lastRound } = series;
  if (isDelta(kind)) return round >= -1 ? 'sample' : 'none';
  if (round < firstRound || round > lastRound) return 'none';
  if (round === lastRound) return 'stale';
  if (kind === 'gauge' || kind === 'otlp_gauge') {
    const phase = (round + number * 7) % PAUSE_EVERY;
    if (phase === 0) return 'stale';
    if (phase <= PAUSE_ROUNDS) return 'none';
  }
  return hash(seed, number, round, 2) % MISSING === 0 ? 'none' : 'sample';
}

/** How many rounds later than its own a sample is sent. */
export function delayOf(schedule: Schedule, series: Series, round: number): number {
  const { kind, number, firstRound, lastRound } = series;
  if (isDelta(kind) || round === lastRound || round === firstRound) return 0;
  const drawn = hash(schedule.seed, number, round, 3);
  return drawn % LATE === 0 ? 1 + ((drawn >>> 8) % schedule.delayMax) : 0;
}

/** The round with which the sample of a round is sent. */
export function sentWith(schedule: Schedule, series: Series, round: number): number {
  return round < 0 ? 0 : round + delayOf(schedule, series, round);
}

/** Rounds between the resets of a counter. */
const RESET_EVERY = 211;

/** The value of a sample, a float of any kind but the native ones. */
export function valueOf({ seed }: Schedule, { kind, number }: Series, round: number): number {
  if (kind === 'counter' || kind === 'otlp_sum') {
    return (((round + number) % RESET_EVERY) + 1) * ((number % 9) + 1) + (hash(seed, number, round, 4) % 2);
  }
  if (kind === 'delta') {
    let sum = 0;
    const rounds = round + 1;
    for (let i = 0; i < DELTA_PERIOD; i++) {
      sum += deltaOf(number, i) * (Math.floor(rounds / DELTA_PERIOD) + (i < rounds % DELTA_PERIOD ? 1 : 0));
    }
    return sum;
  }
  // Eighths and small: sums of them are exact in any order.
  return ((hash(seed, number, round, 5) % 20_000) - 10_000) / 8;
}

const DELTA_PERIOD = 16;

/** What a sender of deltas adds in a round. */
export function deltaOf(number: number, round: number): number {
  return 1 + ((round * 7 + number) % DELTA_PERIOD);
}

/** Buckets of a native histogram, of schema `SCHEMA`, from index 1 on. */
/** Count, sum, and the count of each bucket from index 1 on; none of them is empty, but in a series' zero. */
export interface NativePoint {
  readonly counts: readonly number[];
  readonly count: number;
  readonly sum: number;
}

const NATIVE_BUCKETS = 5;
export const SCHEMA = 2;

/** What a native sample is at a round, or adds. */
export function nativeOf({ kind, number }: Series, round: number): NativePoint {
  if (kind === 'histogram') {
    const rounds = ((round + number) % RESET_EVERY) + 1;
    return nativePoint((bucket) => rounds * (1 + ((number + bucket) % 3)) + ((round + bucket) % 2));
  }
  const periods = Math.floor((round + 1) / 4);
  return nativePoint((bucket) => {
    let count = periods * (1 + 2 + 3 + 4);
    for (let i = periods * 4; i <= round; i++) count += nativeDelta(number, bucket, i);
    return count;
  });
}

export function nativeDeltaOf({ number }: Series, round: number): NativePoint {
  return nativePoint((bucket) => nativeDelta(number, bucket, round));
}

function nativeDelta(number: number, bucket: number, round: number): number {
  return 1 + ((round + number + bucket) % 4);
}

function nativePoint(countOf: (bucket: number) => number): NativePoint {
  const counts = Array.from({ length: NATIVE_BUCKETS }, (_, bucket) => countOf(bucket));
  const count = counts.reduce((total, one) => total + one, 0);
  return { counts, count, sum: count * 2 };
}

/** 31 pseudo-random bits that follow from the arguments. */
function hash(seed: number, a: number, b: number, salt: number): number {
  let z =
    Math.imul(seed + 0x9e3779b9, 0x85ebca6b) ^
    Math.imul(a + 0x7f4a7c15, 0xc2b2ae35) ^
    Math.imul(b + salt * 0x632be5, 0x27d4eb2f);
  z = Math.imul(z ^ (z >>> 15), z | 1);
  z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
  return ((z ^ (z >>> 14)) >>> 1) & 0x7fffffff;
}
