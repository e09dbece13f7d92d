import type { Logger } from 'pino';
import { LIMITS } from '../base/limits.ts';
import type { Durability } from '../base/sqlite.ts';
import type { DomainCoverage } from '../border/release-coverage.ts';
import { openAgentGaps } from '../coverage/agent-gaps.ts';
import { openCoverageDb } from '../coverage/coverage-db.ts';
import { keptProducers, type MetricProducers } from '../coverage/metric-producers.ts';
import { openSettlement, type Settlement } from '../coverage/settlement.ts';
import { streamCoverage } from '../coverage/stream-coverage.ts';
import { trackStreams, type StreamCounts, type StreamTracker } from '../coverage/streams.ts';
import type { TimeRange } from '../plan/read-range.ts';
import type { ShardReader } from '../shard/shard.ts';
import type { ReceiverDeps } from './receiver.ts';
import { streamSaver } from './save-streams.ts';
import { storedTimes } from './stored-times.ts';

/** What an agent knows of its streams, and of what it told others is settled. */
export interface AgentCoverage extends DomainCoverage {
  readonly onStreams: ReceiverDeps['onStreams'];
  readonly settlement: Settlement;
  counts(): StreamCounts;
  remembered: StreamTracker['remembered'];
  /**
   * The same for others, who may rely on the watermark from now on, and the times that the agent itself missed. Ask before
   * the samples are read that go with it.
   */
  tell(): StreamCounts & { readonly gaps: readonly TimeRange[] };
  /**
   * After a kill: hears again what the store has of the seconds before it that were not written down. Takes until the store
   * has answered; where it cannot, what senders deliver again is all that closes the gap.
   */
  recover(shards: readonly ShardReader[]): Promise<void>;
  close(): void;
}

export interface CoverageOptions {
  readonly path: string;
  readonly durability: Durability;
  /** For how long samples are kept: so long are streams remembered that have ended. Undefined: for ever. */
  readonly retentionMs: number | undefined;
  readonly log: Logger;
  /** Asks the store. */
  readonly producersOf: MetricProducers;
  /** How many series the store has. */
  series(): number;
}

/** What is known is written down this often, and at once when a new stream appears. */
const SAVE_MS = 5_000;

/** A process that has not come to do that for so long was stopped, or its clock was set. */
const STOPPED_MS = 60_000;

/** Streams that ended are remembered for as long, where samples are kept for ever. */
const KEEP_MS = 30 * 24 * 60 * 60 * 1000;

export function openCoverage(options: CoverageOptions): AgentCoverage {
  const { path, durability, retentionMs: keepMs = KEEP_MS, log } = options;
  const db = openCoverageDb(path, durability);
  try {
    const startMs = Date.now();
    const streams = trackStreams(db.streams.load(), startMs, { limit: LIMITS.streams, keepMs });
    const fail = (error: unknown): void =>
      log.error({ err: error }, 'streams could not be written down, the next try is later');
    const saver = streamSaver(streams, db.streams, Date.now, fail);
    const gaps = openAgentGaps(db.life, streams, startMs, keepMs);
    const settlement = openSettlement(db.settlement, startMs, (error) =>
      log.error({ err: error }, 'watermark and late intervals could not be written down, the next try is later'),
    );
    const producersOf = keptProducers(options.producersOf, options.series, Date.now);
    let awakeMs = startMs;
    /** A process that was stopped for a while heard nobody, as one that was not there. */
    const wake = (nowMs: number): void => {
      if (nowMs - awakeMs < STOPPED_MS) return;
      gaps.slept({ fromMs: awakeMs + 1, toMs: nowMs - 1 });
      streams.listen(nowMs);
      awakeMs = nowMs;
    };
    const counts = (): StreamCounts => {
      const nowMs = Date.now();
      wake(nowMs);
      return streams.counts(nowMs);
    };
    const save = (isClosed = false): void => {
      wake(Date.now());
      awakeMs = Date.now();
      saver.save();
      try {
        gaps.alive(Date.now(), isClosed);
      } catch (error) {
        fail(error);
      }
      settlement.flush();
    };
    const saving = setInterval(() => save(), SAVE_MS);
    return {
      onStreams(signal, seen, nowMs) {
        wake(nowMs);
        if (streams.seen(signal, seen, nowMs)) saver.saveNew();
      },
      settlement,
      counts,
      remembered: () => streams.remembered(),
      tell() {
        const now = counts();
        return { ...now, settledUntilMs: settlement.tell(now.settledUntilMs), gaps: gaps.told(Date.now()) };
      },
      coverage: (question, until) => streamCoverage(question, { streams, producersOf, now: Date.now }, until),
      late({ epoch, sequence }) {
        const { intervals, ...told } = settlement.since(epoch, sequence);
        return { ...told, intervals: intervals.map(({ fromMs, toMs }) => ({ fromMs, toMs })) };
      },
      async recover(shards) {
        if (gaps.killedMs === undefined) return;
        try {
          const heard = await storedTimes(shards, streams, { fromMs: gaps.killedMs, toMs: startMs });
          streams.recall('metrics', heard, Math.min(startMs - 1, gaps.killedMs + SAVE_MS));
        } catch (error) {
          log.warn({ err: error }, 'what was stored last before the agent was killed could not be looked up');
        }
      },
      close() {
        clearInterval(saving);
        save(true);
        db.close();
      },
    };
  } catch (error) {
    db.close();
    throw error;
  }
}
