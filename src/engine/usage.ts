import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';

/** Counts what the evaluations of one request touch and stops them: at the limits, at the deadline, when it is told to. */
export interface Usage extends UsageOptions {
  series: number;
  cells: number;
  samples: number;
  readonly deadlineMs: number;
  /** Work since the last look; see `spend`. */
  work: number;
}

/** What evaluations have touched: series, series x steps, and stored samples. */
export interface Used {
  readonly series: number;
  readonly cells: number;
  readonly samples: number;
}

const NOTHING_USED: Used = { series: 0, cells: 0, samples: 0 };

export interface UsageOptions {
  /** What the request has used before. */
  readonly spent?: Used | undefined;
  /** An Int32 in shared memory: anything but 0 stops with `canceled`. */
  readonly cancelled?: Int32Array | undefined;
  /**
   * Lets others do what cannot wait, such as appends to the store that is being read. Called at every look, so no look may
   * happen while columns of a source are held.
   */
  readonly turn?: (() => void) | undefined;
}

/** `deadlineMs`: when to give up, in ms since the epoch. */
export function startUsage(deadlineMs: number, options: UsageOptions = {}): Usage {
  return { ...options, ...(options.spent ?? NOTHING_USED), deadlineMs, work: 0 };
}

export function usedOf({ series, cells, samples }: Used): Used {
  return { series, cells, samples };
}

/** Cells between two looks: 80 microseconds of plain arithmetic, and under a millisecond of the dearest kernels. */
const WORK_PER_LOOK = 16_384;

/**
 * Counts work in cells computed or compared, and looks round now and then. Throws `timeout` past the deadline and
 * `canceled`. Not to be called by a `RowSink`, nor anywhere else where columns of a source are held.
 */
export function spend(usage: Usage, work: number): void {
  usage.work += work;
  if (usage.work < WORK_PER_LOOK) return;
  usage.work = 0;
  look(usage);
}

/** The rows, for writing them as text, with looks in between. `cellsOf` says how many numbers a row has. */
export function* withLooks<R>(rows: Iterable<R>, cellsOf: (row: R) => number, usage: Usage): Iterable<R> {
  for (const row of rows) {
    spend(usage, ROW_TEXT_WORK + TEXT_WORK * cellsOf(row));
    yield row;
  }
}

/** Writing a number as text costs as much as computing so many. */
const TEXT_WORK = 32;
const ROW_TEXT_WORK = 128;

/** A comparison for long sorts that looks round now and then. */
export function comparedWithLooks<T>(compare: (a: T, b: T) => number, usage: Usage): (a: T, b: T) => number {
  return (a, b) => {
    spend(usage, COMPARE_WORK);
    return compare(a, b);
  };
}

const COMPARE_WORK = 32;

/** Looks round at once; see `spend`. */
export function look({ cancelled, deadlineMs, turn }: Usage): void {
  if (cancelled !== undefined && Atomics.load(cancelled, 0) !== 0) {
    throw new ComityError('canceled', 'the query was cancelled by whoever asked it');
  }
  if (Date.now() > deadlineMs) throw new ComityError('timeout', 'the query ran out of time');
  turn?.();
}

/** Counts one more series over the steps of a query, and its stored samples. Throws as `assertWithinLimits`. */
export function countSeries(usage: Usage, steps: number, samples: number): void {
  usage.series++;
  usage.cells += steps;
  usage.samples += samples;
  assertWithinLimits(usage);
}

/** Throws `limit` for a request that has touched more than one may. */
export function assertWithinLimits({ series, cells, samples }: Used): void {
  if (series > LIMITS.seriesPerQuery) {
    throw pastLimit(series, 'series', LIMITS.seriesPerQuery, 'seriesPerQuery', NARROW);
  }
  if (cells > LIMITS.cellsPerQuery) {
    const advice = `${NARROW} or raise the step`;
    throw pastLimit(cells, 'values (series x steps)', LIMITS.cellsPerQuery, 'cellsPerQuery', advice);
  }
  if (samples > LIMITS.samplesPerQuery) {
    const advice = `${NARROW} or shorten the range`;
    throw pastLimit(samples, 'samples', LIMITS.samplesPerQuery, 'samplesPerQuery', advice);
  }
}

const NARROW = 'Narrow its selectors with more matchers';

function pastLimit(reached: number, what: string, most: number, limit: string, advice: string): ComityError {
  return new ComityError(
    'limit',
    `the query touches ${reached} ${what}, more than the ${most} allowed (${limit}). ${advice}`,
  );
}
