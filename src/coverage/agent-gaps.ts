import { LIMITS } from '../base/limits.ts';
import type { TimeRange } from '../plan/read-range.ts';
import type { StreamTracker } from './streams.ts';

/** When the agent itself was down, whatever became of its process. */
export interface AgentLifeDb {
  /** `last` is undefined in a new database. The gaps are in order of time. */
  load(): { readonly last: LifeRecord | undefined; readonly gaps: readonly TimeRange[] };
  /** Writes both in one transaction. */
  save(last: LifeRecord, gaps: readonly TimeRange[]): void;
}

/** When the agent was last known to run, and whether that was its end in order. */
export interface LifeRecord {
  readonly aliveMs: number;
  readonly isClosed: boolean;
}

/** Times in which the agent heard nobody. */
export interface AgentGaps {
  /** Of these times what senders have not delivered since: ascending and apart, at most `LIMITS.agentGaps`. */
  told(nowMs: number): readonly TimeRange[];
  /** Notes a time in which it was there and did not run. */
  slept(range: TimeRange): void;
  /** When the last process was killed, the last time that it wrote down what it knew; undefined where it ended in order. */
  readonly killedMs: number | undefined;
  /** Writes down that the agent runs, or that it ends. To be called now and then, and at the end. */
  alive(nowMs: number, isClosed: boolean): void;
}

/** A restart as short as this is none. */
const GAP_MS_MIN = 1_000;

/** All streams have to be looked at, so that what was found is told again for so long. */
const LOOK_MS = 5_000;

/** What ended longer ago than `keepMs` is forgotten. */
export function openAgentGaps(
  db: AgentLifeDb,
  streams: Pick<StreamTracker, 'missedIn'>,
  startMs: number,
  keepMs: number,
): AgentGaps {
  const { last, gaps: before } = db.load();
  const gaps = before.filter(({ toMs }) => toMs >= startMs - keepMs);
  let lookedAt = -Infinity;
  let found: readonly TimeRange[] = [];

  function add(range: TimeRange): void {
    // A clock that went back makes times come twice.
    const fromMs = Math.max(range.fromMs, (gaps.at(-1)?.toMs ?? -Infinity) + 1);
    if (range.toMs - fromMs < GAP_MS_MIN) return;
    gaps.push({ fromMs, toMs: range.toMs });
    while (gaps.length > LIMITS.agentGaps) joinNearest(gaps);
    lookedAt = -Infinity;
  }

  if (last !== undefined) add({ fromMs: last.aliveMs + 1, toMs: startMs - 1 });
  db.save({ aliveMs: startMs, isClosed: false }, gaps);
  return {
    told(nowMs) {
      if (Math.abs(nowMs - lookedAt) < LOOK_MS) return found;
      lookedAt = nowMs;
      found = gaps.flatMap((gap) => streams.missedIn(gap, nowMs) ?? []);
      return found;
    },
    slept: add,
    killedMs: last === undefined || last.isClosed ? undefined : last.aliveMs,
    alive: (nowMs, isClosed) => db.save({ aliveMs: nowMs, isClosed }, gaps),
  };
}

function joinNearest(gaps: TimeRange[]): void {
  let at = 0;
  for (let i = 1; i + 1 < gaps.length; i++) if (betweenMs(gaps, i) < betweenMs(gaps, at)) at = i;
  gaps.splice(at, 2, { fromMs: gaps[at]!.fromMs, toMs: gaps[at + 1]!.toMs });
}

function betweenMs(gaps: readonly TimeRange[], at: number): number {
  return gaps[at + 1]!.fromMs - gaps[at]!.toMs;
}
