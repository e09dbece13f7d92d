import { LIMITS } from '../base/limits.ts';
import { PAUSE_MS } from '../model/heard-times.ts';
import type { HeardStream, Pause } from '../model/stream.ts';
import type { TimeRange } from '../plan/read-range.ts';

/*
 * When a stream counts as there, as missing and as ended. Times are those of samples, in ms since the epoch, and ranges
 * include both ends; `nowMs` is the agent's own time. Nothing outside of this file knows the rule.
 */

/** What is known of one stream over time; whoever keeps it changes it through the functions here alone. */
export interface Presence {
  /** Of its earliest sample, or of the first time that it was known to have none. */
  firstMs: number;
  /** Of its latest sample; 0 before it had any. */
  lastMs: number;
  /** When samples of it came last, by the agent's clock. */
  seenMs: number;
  /** When it last gave any sign of being there, a failed scrape included. */
  knownMs: number;
  /** Since when it is known to have nothing, after its latest sample; 0 where it is not. */
  downMs: number;
  /** When nothing was awaited of it any more; 0 while it is. */
  endedMs: number;
  /** The median of the last few pauses between its samples; 0 until there was one. */
  intervalMs: number;
  /** The last pauses, in order of time. Whether they are gaps hangs on the interval that they show. */
  recent: readonly Pause[];
  /** Those before them, in order of time and apart. */
  gaps: readonly Gap[];
}

/** A time without samples. Some were missing from its beginning to `missingToMs`; after that none was awaited. */
export interface Gap extends TimeRange {
  /** One before the beginning where none was missing. */
  readonly missingToMs: number;
}

/** What a stream owed. Both in order of time and apart. */
export interface Past {
  /** When samples of it were awaited; the last range of a live stream has no end. */
  readonly expected: readonly TimeRange[];
  /** Where they are missing. */
  readonly missing: readonly TimeRange[];
}

/** A stream is expected for at least this long after its last sign. */
export const EXPECTED_FOR_MS = 5 * 60 * 1000;

/** A slow stream is expected for this many of its intervals: longer than it takes to count as missing. */
const EXPECTED_INTERVALS = 5;

/** Missing means without a sample for more than this many of the stream's own intervals. */
const GAP_INTERVALS = 2.5;

/** The interval is the median of so many pauses: one long pause, or two, leave it as it is. */
const PAUSES_KEPT = 5;

/** Samples within a second are of one export. */
const PAUSE_MS_MIN = 1_000;

/** Interval taken for a stream that has delivered once: OpenTelemetry's default export interval. */
const DEFAULT_INTERVAL_MS = 60_000;

/** A sender that keeps delivering is not missed as long as it lags by no more than is open to everybody. */
export const LAG_MS = 2 * 60 * 1000;

/** Who listens, since when, and how far back deliveries are taken note of. */
export interface Listening {
  readonly nowMs: number;
  /** What came before it could not be heard, so that the pause until then says nothing of a stream's interval. */
  readonly startMs: number;
  readonly oldestMs: number;
}

/** A stream that is heard for the first time; undefined for a delivery that says nothing of when it was there. */
export function newPresence(heard: HeardStream, listening: Listening): Presence | undefined {
  const { nowMs } = listening;
  const [first] = piecesOf(heard, listening);
  const downMs = heard.downMs === undefined ? undefined : Math.min(heard.downMs, nowMs);
  const firstMs = first?.fromMs ?? downMs;
  if (firstMs === undefined) return undefined;
  return {
    firstMs,
    lastMs: first?.fromMs ?? 0,
    seenMs: nowMs,
    knownMs: nowMs,
    downMs: 0,
    endedMs: 0,
    intervalMs: 0,
    recent: [],
    gaps: [],
  };
}

/** Notes a delivery. */
export function hear(presence: Presence, heard: HeardStream, listening: Listening): void {
  const { nowMs, startMs } = listening;
  const pieces = piecesOf(heard, listening);
  for (const { fromMs, toMs } of pieces) {
    hearPiece(presence, fromMs, toMs, startMs);
    // So long a piece is of samples that are no farther apart than this.
    if (toMs - fromMs > PAUSE_MS) presence.intervalMs = Math.min(presence.intervalMs || PAUSE_MS, PAUSE_MS);
  }
  if (pieces.length > 0) presence.seenMs = nowMs;
  presence.knownMs = nowMs;
  const { downMs, endedMs } = heard;
  if (downMs !== undefined && downMs > presence.lastMs) hearDown(presence, Math.min(downMs, nowMs), startMs);
  if (endedMs !== undefined && endedMs > presence.lastMs) presence.endedMs = Math.max(1, Math.min(endedMs, nowMs));
}

/** Notes that a stream which gave no sign for too long has ended; says whether it has just done so. */
export function endSilent(presence: Presence, nowMs: number, startMs: number): boolean {
  if (presence.endedMs !== 0) return false;
  const endMs = Math.max(presence.knownMs, presence.knownMs < startMs ? startMs : 0) + patienceMs(presence);
  if (nowMs <= endMs) return false;
  presence.endedMs = endMs;
  return true;
}

/** Takes back what was noted while the agent's clock was ahead. */
export function rewind(presence: Presence, nowMs: number): void {
  presence.seenMs = Math.min(presence.seenMs, nowMs);
  presence.knownMs = Math.min(presence.knownMs, nowMs);
  if (presence.endedMs > nowMs) presence.endedMs = 0;
  presence.firstMs = Math.min(presence.firstMs, nowMs);
  if (presence.downMs > nowMs) presence.downMs = presence.lastMs === 0 ? nowMs : 0;
  if (presence.lastMs <= nowMs) return;
  const pause = presence.recent.find(({ toMs }) => toMs > nowMs);
  const gap = presence.gaps.find(({ toMs }) => toMs >= nowMs);
  presence.lastMs = Math.min(nowMs, gap === undefined ? nowMs : gap.fromMs - 1, pause?.fromMs ?? nowMs);
  presence.firstMs = Math.min(presence.firstMs, presence.lastMs);
  presence.recent = presence.recent.filter(({ toMs }) => toMs <= presence.lastMs);
  presence.gaps = presence.gaps.filter(({ toMs }) => toMs < presence.lastMs);
}

/** Whether samples are missing at this moment. */
export function isMissing(presence: Presence, nowMs: number): boolean {
  if (presence.downMs > 0) return true;
  const { lastMs, seenMs } = presence;
  const patience = gapMs(presence);
  if (nowMs - lastMs <= patience) return false;
  return nowMs - seenMs > patience || nowMs - lastMs > LAG_MS;
}

/** What a stream owed until now and owes from now on. Time that is not decided yet is not missing. */
export function pastOf(presence: Presence, nowMs: number): Past {
  const { firstMs, endedMs } = presence;
  const missing: TimeRange[] = [];
  const expected: TimeRange[] = [];
  let fromMs = firstMs;
  for (const gap of allGaps(presence)) {
    if (gap.missingToMs >= gap.fromMs) missing.push({ fromMs: gap.fromMs, toMs: gap.missingToMs });
    if (gap.missingToMs >= gap.toMs) continue;
    expected.push({ fromMs, toMs: gap.missingToMs });
    fromMs = gap.toMs + 1;
  }
  const last = trailingGap(presence, nowMs);
  expected.push({ fromMs, toMs: endedMs === 0 ? Infinity : Math.max(fromMs, endedMs) });
  if (last !== undefined) missing.push(last);
  return { expected, missing };
}

/** The gaps so far, without the one that may be lasting. */
export function allGaps({
  gaps,
  recent,
  intervalMs,
}: Pick<Presence, 'gaps' | 'recent' | 'intervalMs'>): readonly Gap[] {
  const found: Gap[] = [...gaps];
  for (const pause of recent) if (pause.toMs - pause.fromMs > gapMs({ intervalMs })) found.push(gapIn(pause));
  return found.length > gaps.length ? found.sort((a, b) => a.fromMs - b.fromMs) : found;
}

/** The gap that lasts, or that the stream ended in. */
function trailingGap(presence: Presence, nowMs: number): TimeRange | undefined {
  const { lastMs, downMs, endedMs } = presence;
  const toMs = endedMs === 0 ? Infinity : endedMs;
  if (endedMs === 0 ? !isMissing(presence, nowMs) : downMs === 0 && endedMs - lastMs <= gapMs(presence)) {
    return undefined;
  }
  const fromMs = missingFrom(presence);
  return fromMs > toMs ? undefined : { fromMs, toMs };
}

/**
 * The part of a time that a stream misses which was there until it began, and is there again or still awaited; undefined
 * where it has all that it is going to have.
 */
export function missedIn(presence: Presence, range: TimeRange, nowMs: number): TimeRange | undefined {
  const last = presence.endedMs === 0 ? trailingGap(presence, nowMs) : undefined;
  const gaps = allGaps(presence).map(({ fromMs, missingToMs }) => ({ fromMs, toMs: missingToMs }));
  const earliestMs = range.fromMs - gapMs(presence);
  let missed: TimeRange | undefined;
  for (const gap of last === undefined ? gaps : [...gaps, last]) {
    const fromMs = Math.max(gap.fromMs, range.fromMs);
    const toMs = Math.min(gap.toMs, range.toMs);
    if (gap.fromMs < earliestMs || fromMs > toMs) continue;
    missed = { fromMs: Math.min(fromMs, missed?.fromMs ?? fromMs), toMs: Math.max(toMs, missed?.toMs ?? toMs) };
  }
  return missed;
}

/** Where the time without samples begins that is missing after the latest one: where it is known when there was none, there. */
function missingFrom(presence: Presence): number {
  const { lastMs, downMs } = presence;
  if (lastMs === 0) return downMs;
  return downMs > 0 && downMs - lastMs <= gapMs(presence) ? downMs : lastMs + 1;
}

/** A sign that it had nothing to give. One that had ended begins to owe samples again. */
function hearDown(presence: Presence, downMs: number, startMs: number): void {
  if (presence.endedMs !== 0 && downMs > presence.endedMs) {
    endPause(presence, downMs, startMs);
    presence.lastMs = downMs - 1;
    presence.endedMs = 0;
    presence.downMs = 0;
  }
  presence.downMs ||= downMs;
}

/** What lies between the pauses of a delivery. A producer whose clock is ahead is taken to be on time. */
function piecesOf({ earliestMs, latestMs, pauses = [] }: HeardStream, { nowMs, oldestMs }: Listening): TimeRange[] {
  if (latestMs === -Infinity) return [];
  const from = [earliestMs, ...pauses.map(({ toMs }) => toMs)];
  const to = [...pauses.map(({ fromMs }) => fromMs), latestMs];
  const pieces: TimeRange[] = [];
  for (let at = 0; at < from.length; at++) {
    const toMs = Math.min(to[at]!, nowMs);
    if (toMs >= oldestMs) pieces.push({ fromMs: Math.max(Math.min(from[at]!, nowMs), oldestMs), toMs });
  }
  return pieces;
}

/** Samples from one time to another, with no pause in between. */
function hearPiece(presence: Presence, fromMs: number, toMs: number, startMs: number): void {
  if (fromMs > presence.lastMs) {
    endPause(presence, fromMs, startMs);
    presence.firstMs = Math.min(presence.firstMs, fromMs);
    presence.lastMs = toMs;
    if (presence.downMs <= toMs) presence.downMs = 0;
    presence.endedMs = 0;
    return;
  }
  if (toMs > presence.lastMs) {
    presence.lastMs = toMs;
    if (presence.downMs <= toMs) presence.downMs = 0;
    presence.endedMs = 0;
  }
  fill(presence, fromMs, toMs);
  if (toMs < presence.firstMs) putBefore(presence, fromMs, toMs);
  else if (fromMs < presence.firstMs) presence.firstMs = fromMs;
}

/** The first sample after the latest one so far. */
function endPause(presence: Presence, atMs: number, startMs: number): void {
  const { lastMs, downMs, endedMs, seenMs } = presence;
  const toMs = atMs - 1;
  if (downMs > 0 || endedMs > 0 || lastMs === 0) {
    const isDown = downMs > 0 && downMs < atMs;
    if (!isDown && (lastMs === 0 || atMs - lastMs <= gapMs(presence))) return;
    const fromMs = isDown ? missingFrom(presence) : lastMs + 1;
    const isMissed = isDown || endedMs === 0 || endedMs - lastMs > gapMs(presence);
    const missingToMs = isMissed ? Math.max(fromMs - 1, endedMs === 0 ? toMs : Math.min(endedMs, toMs)) : fromMs - 1;
    addGap(presence, { fromMs, toMs, missingToMs });
    return;
  }
  const pause = { fromMs: lastMs, toMs: atMs };
  if (seenMs < startMs) {
    // No sample came while nobody listened; those of the next time that somebody does may still fill it.
    if (atMs - lastMs > gapMs(presence)) addGap(presence, gapIn(pause));
    return;
  }
  if (atMs - lastMs < PAUSE_MS_MIN) return;
  setRecent(presence, [...presence.recent, pause]);
  const lengths = presence.recent.map((one) => one.toMs - one.fromMs);
  // What is remembered of an interval stands for the pauses that are not.
  if (lengths.length < PAUSES_KEPT && presence.intervalMs > 0) lengths.unshift(presence.intervalMs);
  presence.intervalMs = lowerMedian(lengths);
}

/** Of more pauses than are kept the first are decided for good. */
function setRecent(presence: Presence, pauses: readonly Pause[]): void {
  for (const pause of pauses.slice(0, -PAUSES_KEPT)) {
    if (pause.toMs - pause.fromMs > gapMs(presence)) addGap(presence, gapIn(pause));
  }
  presence.recent = pauses.slice(-PAUSES_KEPT);
}

/** Samples that came late: what is left of the pauses that they lie in. */
function fill(presence: Presence, fromMs: number, toMs: number): void {
  const { gaps, recent } = presence;
  if (gaps.some((gap) => gap.fromMs <= toMs && gap.toMs >= fromMs)) {
    presence.gaps = [];
    for (const gap of gaps) for (const left of leftOf(gap, presence, fromMs, toMs)) addGap(presence, left);
  }
  if (recent.some((pause) => pause.fromMs < toMs && pause.toMs > fromMs)) {
    setRecent(
      presence,
      recent.flatMap((pause) =>
        pause.fromMs >= toMs || pause.toMs <= fromMs
          ? [pause]
          : [
              { fromMs: pause.fromMs, toMs: fromMs },
              { fromMs: toMs, toMs: pause.toMs },
            ].filter((part) => part.toMs - part.fromMs >= PAUSE_MS_MIN),
      ),
    );
  }
}

function leftOf(gap: Gap, presence: Presence, fromMs: number, toMs: number): readonly Gap[] {
  if (gap.fromMs > toMs || gap.toMs < fromMs) return [gap];
  const left: Gap[] = [];
  if (fromMs - gap.fromMs + 1 > gapMs(presence)) {
    left.push({ fromMs: gap.fromMs, toMs: fromMs - 1, missingToMs: Math.min(gap.missingToMs, fromMs - 1) });
  }
  if (gap.toMs + 1 - toMs > gapMs(presence)) {
    const endMs = gap.missingToMs > toMs ? gap.missingToMs : toMs + patienceMs(presence);
    left.push({ fromMs: toMs + 1, toMs: gap.toMs, missingToMs: Math.min(endMs, gap.toMs) });
  }
  return left;
}

/** Samples that are older than all before: the stream has lived then as well, and maybe ended in between. */
function putBefore(presence: Presence, fromMs: number, toMs: number): void {
  const { firstMs } = presence;
  presence.firstMs = fromMs;
  if (firstMs - toMs <= gapMs(presence)) return;
  const missingToMs = Math.min(firstMs - 1, toMs + patienceMs(presence));
  addGap(presence, { fromMs: toMs + 1, toMs: firstMs - 1, missingToMs });
}

/** Keeps the gaps in order and bounded: past that the two that are nearest become one, all of which is missing. */
function addGap(presence: Presence, added: Gap): void {
  const gaps = [...presence.gaps];
  let at = gaps.length;
  while (at > 0 && gaps[at - 1]!.fromMs > added.fromMs) at--;
  gaps.splice(at, 0, added);
  if (gaps.length > LIMITS.gapsPerStream) joinNearest(gaps);
  presence.gaps = gaps;
}

function joinNearest(gaps: Gap[]): void {
  let at = 0;
  for (let i = 1; i + 1 < gaps.length; i++) if (betweenMs(gaps, i) < betweenMs(gaps, at)) at = i;
  const toMs = gaps[at + 1]!.toMs;
  gaps.splice(at, 2, { fromMs: gaps[at]!.fromMs, toMs, missingToMs: toMs });
}

function betweenMs(gaps: readonly Gap[], at: number): number {
  return gaps[at + 1]!.fromMs - gaps[at]!.toMs;
}

function gapIn({ fromMs, toMs }: Pause): Gap {
  return { fromMs: fromMs + 1, toMs: toMs - 1, missingToMs: toMs - 1 };
}

/** Two samples that are farther apart than this have a gap between them. */
function gapMs({ intervalMs }: Pick<Presence, 'intervalMs'>): number {
  return GAP_INTERVALS * (intervalMs || DEFAULT_INTERVAL_MS);
}

function patienceMs({ intervalMs }: Presence): number {
  return Math.max(EXPECTED_FOR_MS, EXPECTED_INTERVALS * intervalMs);
}

/** Of an even number the smaller of the middle two: where a short and a long pause are known, the short one is the rule. */
function lowerMedian(lengths: readonly number[]): number {
  return lengths.toSorted((a, b) => a - b)[(lengths.length - 1) >> 1] ?? 0;
}
