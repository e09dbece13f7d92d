import type { Logger } from 'pino';
import { LIMITS } from '../base/limits.ts';
import type { Durability } from '../base/sqlite.ts';
import { openCoverageDb } from '../coverage/coverage-db.ts';
import { openSettlement, type Settlement } from '../coverage/settlement.ts';
import { trackStreams, type StreamCounts } from '../coverage/streams.ts';
import type { ReceiverDeps } from './receiver.ts';
import { streamSaver } from './save-streams.ts';

/** What an agent knows of its streams, and of what it told others is settled. */
export interface AgentCoverage {
  readonly onStreams: ReceiverDeps['onStreams'];
  readonly settlement: Settlement;
  counts(): StreamCounts;
  /** The same for others, who may rely on the watermark from now on. Ask before the samples are read that go with it. */
  tell(): StreamCounts;
  close(): void;
}

/** What is known is written down this often, and at once when a new stream appears. */
const SAVE_MS = 5_000;

export function openCoverage(path: string, durability: Durability, log: Logger): AgentCoverage {
  const db = openCoverageDb(path, durability);
  try {
    const startMs = Date.now();
    const streams = trackStreams(db.streams.load(), startMs, LIMITS.streams);
    const saver = streamSaver(streams, db.streams, Date.now, (error) =>
      log.error({ err: error }, 'streams could not be written down, the next try is later'),
    );
    const settlement = openSettlement(db.settlement, startMs, (error) =>
      log.error({ err: error }, 'watermark and late intervals could not be written down, the next try is later'),
    );
    const counts = (): StreamCounts => streams.counts(Date.now());
    const save = (): void => {
      saver.save();
      settlement.flush();
    };
    const saving = setInterval(save, SAVE_MS);
    return {
      onStreams(signal, seen, nowMs) {
        if (streams.seen(signal, seen, nowMs)) saver.saveNew();
      },
      settlement,
      counts,
      tell() {
        const now = counts();
        return { ...now, settledUntilMs: settlement.tell(now.settledUntilMs) };
      },
      close() {
        clearInterval(saving);
        save();
        db.close();
      },
    };
  } catch (error) {
    db.close();
    throw error;
  }
}
