import { randomBytes } from 'node:crypto';
import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { LateInterval } from '../model/batch.ts';
import { holds, hull, isAwaited, wholeMinutes, withLate, type LateEntry } from './late-intervals.ts';
import type { SettlementDb, SettlementState } from './settlement-db.ts';

/**
 * What others may take for settled, and what changed there all the same. A watermark that was told never goes back; whoever
 * keeps answers about the time before it asks `since` what to let go of. To miss nothing they ask for the watermark and for
 * the sequence number *before* they read the samples.
 */
export interface Settlement {
  /** The highest watermark that was told to anybody, in ms since the epoch: -Infinity while there is none. */
  readonly toldMs: number;
  /**
   * Tells a watermark, at least as high as every one before: `settledUntilMs` where that can be written down, in steps of a
   * second. What lies before it is settled. 0 while none is known.
   */
  tell(settledUntilMs: number): number;
  /**
   * To be called before samples with times in the range are stored, rewritten or hidden. Throws `unavailable` when some of
   * them are behind the watermark and that cannot be written down: then they must not be changed.
   */
  begin(range: LateInterval): Change;
  /** What changed after the change with this number of this epoch. */
  since(epoch: string, sequence: number): LateAnswer;
  readonly epoch: string;
  /** Writes what could not be written, and forgets what is not changing any more. To be called now and then, and at the end. */
  flush(): void;
  /** Changes behind the watermark since the start. */
  readonly changes: number;
}

/** Samples that are changing. Either method is to be called once; neither throws. */
export interface Change {
  /** The watermark that the changes are to be compared with. */
  readonly toldMs: number;
  /** They are changed. `late` holds the times of those that lie before `toldMs`. */
  made(late: LateInterval | undefined): void;
  /** Nobody knows which are. */
  failed(): void;
}

/** What changed behind the watermark. */
export interface LateAnswer {
  readonly epoch: string;
  /** To ask with the next time. */
  readonly sequence: number;
  /** The number is none of this epoch's, or the changes are not known: all answers have to be let go of. */
  readonly everything: boolean;
  /** In order of time. */
  readonly intervals: readonly LateEntry[];
}

/** Watermarks are written down before they are told, so they rise by no less. */
const TOLD_STEP_MS = 1_000;

/** Goes on where the database was left; `onFailure` is told when it cannot be written. */
export function openSettlement(db: SettlementDb, nowMs: number, onFailure: (error: unknown) => void): Settlement {
  const loaded = db.load();
  let { state, entries } = loaded ?? newEpoch();
  // The clock was far ahead once. Until that time comes every sample would be late.
  const isAhead = state.toldMs > nowMs + LIMITS.futureMs;
  const gone = isAhead ? entries : [];
  if (isAhead) ({ state, entries } = newEpoch());
  const changing = new Set<LateInterval>();
  let knownSequence = state.sequence;
  let changes = 0;
  let failing = false;
  /** Changes that are not in `entries` yet. Those that the last process had begun may have been made. */
  let unwritten = state.begun;
  if (loaded === undefined || isAhead) db.save(state, gone, []);
  writeChanges();

  /** While writing fails each try may block, so that only `flush` tries. */
  function save(next: SettlementState, nextEntries: readonly LateEntry[] = entries, isRetry = false): boolean {
    if (failing && !isRetry) return false;
    try {
      const before = new Set(entries);
      const after = new Set(nextEntries);
      db.save(next, before.difference(after), after.difference(before));
      state = next;
      entries = nextEntries;
      failing = false;
      return true;
    } catch (error) {
      failing = true;
      onFailure(error);
      return false;
    }
  }

  /** Whether all changes are in `entries` now. */
  function writeChanges(isRetry = false): boolean {
    if (unwritten === undefined) return true;
    const interval = wholeMinutes(unwritten);
    if (!isAwaited(entries, interval, knownSequence)) {
      const sequence = state.sequence + 1;
      const next = { ...state, sequence };
      if (!save(next, withLate(entries, { ...interval, sequence }, knownSequence), isRetry)) return false;
    }
    unwritten = undefined;
    return true;
  }

  function note(late: LateInterval): void {
    changes++;
    unwritten = hull(unwritten, late);
    writeChanges();
  }

  /** What is changing, and lies before a watermark. */
  function changingBefore(toldMs: number): LateInterval | undefined {
    let all: LateInterval | undefined;
    for (const range of changing) if (range.fromMs < toldMs) all = hull(all, range);
    return all && wholeMinutes(all);
  }

  return {
    get toldMs() {
      return state.toldMs;
    },
    tell(settledUntilMs) {
      if (settledUntilMs > 0 && settledUntilMs - state.toldMs >= TOLD_STEP_MS) {
        save({ ...state, toldMs: settledUntilMs, begun: hull(state.begun, changingBefore(settledUntilMs)) });
      }
      return Math.max(state.toldMs, 0);
    },
    begin(range) {
      const { toldMs } = state;
      if (range.fromMs < toldMs && !holds(state.begun, range)) {
        const begun = hull(state.begun, wholeMinutes(range));
        if (!save({ ...state, begun })) {
          throw new ComityError(
            'unavailable',
            'that older samples change cannot be written down. Send them again later',
          );
        }
      }
      const own = { ...range };
      changing.add(own);
      return {
        toldMs,
        made(late) {
          changing.delete(own);
          // The watermark may have risen past some of them before they were there to be read.
          const risen = before({ fromMs: Math.max(own.fromMs, toldMs), toMs: own.toMs }, state.toldMs);
          const changed = hull(late, risen);
          if (changed !== undefined) note(changed);
        },
        failed() {
          changing.delete(own);
          const behind = before(own, state.toldMs);
          if (behind !== undefined) note(behind);
        },
      };
    },
    since(epoch, sequence) {
      const written = writeChanges();
      knownSequence = state.sequence;
      const everything = !written || epoch !== state.epoch || !(sequence >= 0 && sequence <= state.sequence);
      const intervals = everything ? [] : entries.filter((entry) => entry.sequence > sequence);
      return { epoch: state.epoch, sequence: state.sequence, everything, intervals };
    },
    get epoch() {
      return state.epoch;
    },
    flush() {
      writeChanges(true);
      // What could not be noted is not to be forgotten by the next start.
      const begun = unwritten === undefined ? changingBefore(state.toldMs) : state.begun;
      const isSame = begun?.fromMs === state.begun?.fromMs && begun?.toMs === state.begun?.toMs;
      if (failing || !isSame) save({ ...state, begun }, entries, true);
    },
    get changes() {
      return changes;
    },
  };
}

function newEpoch(): { readonly state: SettlementState; readonly entries: readonly LateEntry[] } {
  const epoch = randomBytes(8).toString('hex');
  return { state: { epoch, sequence: 0, toldMs: -Infinity, begun: undefined }, entries: [] };
}

/** The part of an interval that lies before a time. */
function before({ fromMs, toMs }: LateInterval, endMs: number): LateInterval | undefined {
  const part = { fromMs, toMs: Math.min(toMs, endMs - 1) };
  return part.fromMs <= part.toMs ? part : undefined;
}
