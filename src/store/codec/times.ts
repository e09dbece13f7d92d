import {
  damaged,
  readByte,
  readCount,
  readSigned,
  readVarint,
  writeByte,
  writeSigned,
  writeVarint,
  type ByteReader,
  type ByteWriter,
} from './bytes.ts';
import { GRID, HAS_APART, KIND_MASK, readColumn, writeColumn } from './columns.ts';
import { integersBits, readIntegers, writeIntegers } from './integers.ts';
import { scratchColumn } from './scratch.ts';

/**
 * Times of samples that are taken at an interval: row i is `anchor + interval * (i + missing before it) + deviation`. The
 * deviations of a scraper stay within some milliseconds, and half of what its differences would, which hold two of them. A
 * sample that is missing moves the later rows by an interval, so it widens nothing.
 */
interface Grid {
  anchor: number;
  interval: number;
  /** How often intervals were left out, and then before which row and how many. */
  gaps: number;
}

/** Magnitudes of times in a grid lie below this, some 17,000 years from the epoch: every deviation is an integer then. */
const TIME_LIMIT = 2 ** 49;

const grid: Grid = { anchor: 0, interval: 0, gaps: 0 };
const deviations = scratchColumn();
const differences = scratchColumn();
const gapRow = new Int32Array(deviations.length);
const gapIntervals = new Float64Array(deviations.length);

/** Writes `times[0, count)`, every bit of them. Nothing where there are none. */
export function writeTimes(writer: ByteWriter, times: Float64Array, count: number): void {
  if (!findGrid(times, count)) {
    writeColumn(writer, times, count);
    return;
  }
  writeByte(writer, GRID | (grid.gaps > 0 ? HAS_APART : 0));
  writeSigned(writer, grid.anchor);
  writeVarint(writer, grid.interval);
  if (grid.gaps > 0) {
    writeVarint(writer, grid.gaps);
    for (let gap = 0; gap < grid.gaps; gap++) {
      writeVarint(writer, gapRow[gap]! - (gap === 0 ? 0 : gapRow[gap - 1]!));
      writeVarint(writer, gapIntervals[gap]!);
    }
  }
  writeIntegers(writer, deviations, count);
}

/** Whether the times are best written as a grid, which is then in `grid` and the columns beside it. */
function findGrid(times: Float64Array, count: number): boolean {
  if (count < 2 || !fillDifferences(times, count)) return false;
  const interval = intervalOf(times, count);
  let row = times[0]!;
  let low = 0;
  let high = 0;
  grid.gaps = 0;
  deviations[0] = 0;
  for (let i = 1; i < count; i++) {
    row += interval;
    let deviation = times[i]! - row;
    if (deviation > interval / 2) {
      const missing = Math.round(deviation / interval);
      gapRow[grid.gaps] = i;
      gapIntervals[grid.gaps++] = missing;
      row += missing * interval;
      deviation = times[i]! - row;
    }
    if (deviation < low) low = deviation;
    else if (deviation > high) high = deviation;
    deviations[i] = deviation;
  }
  for (let i = 0; i < count; i++) deviations[i]! -= low;
  grid.anchor = times[0]! + low;
  grid.interval = interval;
  // Usual jitter, or none. Differences, of which a few were looked at, lie twice as far apart as deviations do.
  if (high - low <= 2 * jitter) return true;
  const gapBits = grid.gaps * GAP_BITS;
  return gapBits + integersBits(deviations, count) <= integersBits(differences, count - 1) + DIFFERENCES_BITS;
}

/** A gap takes a byte for its row and one for how many intervals are missing, mostly. */
const GAP_BITS = 16;

/** What a column of differences takes more than its blocks do: its base, where a grid has its interval. */
const DIFFERENCES_BITS = 8;

/** False where some times are no integers that a grid can have. */
function fillDifferences(times: Float64Array, count: number): boolean {
  let before = times[0]!;
  if (!isGridTime(before)) return false;
  for (let i = 1; i < count; i++) {
    const time = times[i]!;
    if (!isGridTime(time) || time <= before) return false;
    differences[i - 1] = time - before;
    before = time;
  }
  return true;
}

function isGridTime(time: number): boolean {
  return Math.floor(time) === time && time < TIME_LIMIT && time > -TIME_LIMIT && (time !== 0 || 1 / time > 0);
}

/** Differences that are looked at for a first guess at the interval. */
const GUESSES = 7;
const guesses = new Float64Array(GUESSES);

/** How far apart usual differences are. */
let jitter = 0;

/** Intervals are whole seconds mostly. */
const SECOND_MS = 1_000;

function intervalOf(times: Float64Array, count: number): number {
  const last = count - 1;
  fillGuesses(last);
  const guess = guesses[GUESSES >>> 1]!;
  // The farthest ones may be those of samples that are missing.
  jitter = guesses[GUESSES - 2]! - guesses[1]!;
  let intervals = last;
  for (let i = 0; i < last; i++)
    if (differences[i]! > 1.5 * guess) intervals += Math.round(differences[i]! / guess) - 1;
  const exact = (times[last]! - times[0]!) / intervals;
  const seconds = Math.round(exact / SECOND_MS) * SECOND_MS;
  const near = Math.abs(seconds - exact) * intervals <= Math.max(jitter, 1) * 2;
  return near && seconds > 0 ? seconds : Math.max(1, Math.round(exact));
}

/** Differences from all over the chunk, ascending. */
function fillGuesses(count: number): void {
  for (let i = 0; i < GUESSES; i++) {
    const guess = differences[Math.floor((i * count) / GUESSES)]!;
    let at = i;
    for (; at > 0 && guesses[at - 1]! > guess; at--) guesses[at] = guesses[at - 1]!;
    guesses[at] = guess;
  }
}

/** Reads `count` times into `target` from `at` on. */
export function readTimes(reader: ByteReader, count: number, target: Float64Array, at: number): void {
  const start = reader.at;
  if (count === 0) return;
  const header = readByte(reader);
  if ((header & KIND_MASK) !== GRID) {
    reader.at = start;
    readColumn(reader, count, target, at);
    return;
  }
  const anchor = readSigned(reader);
  const interval = readVarint(reader);
  const gaps = (header & HAS_APART) === 0 ? 0 : readGaps(reader, count);
  readIntegers(reader, count, target, at);
  let row = anchor;
  let i = 0;
  for (let gap = 0; gap <= gaps; gap++) {
    const end = gap < gaps ? gapRow[gap]! : count;
    for (; i < end; i++) target[at + i]! += row + i * interval;
    if (gap < gaps) row += gapIntervals[gap]! * interval;
  }
}

function readGaps(reader: ByteReader, count: number): number {
  const gaps = readCount(reader, count, 'gaps');
  let row = 0;
  for (let gap = 0; gap < gaps; gap++) {
    row += readVarint(reader);
    if (row >= count) throw damaged(`a gap is before row ${row} of ${count}`);
    gapRow[gap] = row;
    gapIntervals[gap] = readVarint(reader);
  }
  return gaps;
}
