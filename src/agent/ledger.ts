import type { Logger } from 'pino';
import { leafWriter, type LeafWriter } from '../ledger/leaf-writer.ts';
import type { RedactionCount, StartLeaf } from '../ledger/leaf.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { ledgerOrigin, openLedger } from '../ledger/open-ledger.ts';
import { CONSUMER_KEY, openRecorder, type Recorder } from '../ledger/recorder.ts';
import type { DomainKeys } from '../policy/domain-key.ts';
import { ledgerMetrics, type LedgerMetrics } from './ledger-metrics.ts';
import { pushToWitnesses, type WitnessConfig } from './witness-push.ts';

/** The ledger of an agent and those who write to it. */
export interface AgentLedger {
  readonly ledger: Ledger;
  readonly recorder: Recorder;
  readonly writer: LeafWriter;
  readonly metrics: LedgerMetrics;
  /** Tells how many answers are being made from now on: their records share flushes to the disk. */
  gather(running: () => number): void;
  close(): Promise<void>;
}

export interface AgentLedgerOptions extends Pick<StartLeaf, 'domain' | 'agent' | 'jurisdiction' | 'source'> {
  /** The SQLite file, or `:memory:`. */
  readonly path: string;
  /** Where the key that signs is. */
  readonly keyPath: string | undefined;
  readonly keys: DomainKeys;
  readonly witnesses: readonly WitnessConfig[];
  readonly log: Logger;
}

/** Opens an agent's ledger and records the start. Fails with `bad_config` where it is another's or damaged, `unavailable` where it cannot be written. */
export async function openAgentLedger(options: AgentLedgerOptions): Promise<AgentLedger> {
  const { path, keyPath, domain, agent, jurisdiction, source, keys, witnesses, log } = options;
  const origin = ledgerOrigin(domain, agent);
  const metrics = ledgerMetrics(log);
  let running = (): number => 0;
  const ledger = await openLedger({ path, keyPath, origin, events: metrics, underWay: () => running() });
  try {
    metrics.watch(ledger);
    const now = Date.now;
    const writer = leafWriter(ledger, { domain, agent, now });
    await writer.start({ jurisdiction, source });
    const consumerKey = keys.derive(CONSUMER_KEY.name, CONSUMER_KEY.epoch);
    const recorder = await openRecorder(ledger, { domain, agent, consumerKey, now });
    const witnessing = pushToWitnesses(ledger, witnesses, { log, onPush: metrics.pushed });
    log.info({ origin, key: ledger.vkey, size: ledger.head().size }, 'ledger opened');
    return {
      ledger,
      recorder,
      writer,
      metrics,
      gather: (of) => void (running = of),
      async close() {
        await witnessing.close();
        await ledger.close();
      },
    };
  } catch (error) {
    await ledger.close();
    throw error;
  }
}

const HOUR_MS = 60 * 60 * 1000;

/**
 * Records what admission has counted since the last time: once an hour, and when it is closed. What could not be written is
 * in the next leaf.
 */
export function recordRedactions(
  writer: LeafWriter,
  counts: () => readonly Readonly<RedactionCount>[],
  log: Logger,
  { now, everyMs }: { readonly now: () => number; readonly everyMs: number } = { now: Date.now, everyMs: HOUR_MS },
): { tell(): Promise<void>; close(): Promise<void> } {
  let told = new Map<string, number>();
  let since = now();
  let under = Promise.resolve();

  async function tellNow(): Promise<void> {
    const until = now();
    const all = counts().map((one) => ({ ...one }));
    const grown = all
      .map((one) => ({ ...one, count: one.count - (told.get(keyOf(one)) ?? 0) }))
      .filter(({ count }) => count > 0);
    try {
      await writer.redaction(since, until, grown);
    } catch (error) {
      log.error({ err: error }, 'what admission has done could not be recorded; the next leaf tells it');
      return;
    }
    told = new Map(all.map((one) => [keyOf(one), one.count]));
    since = until;
  }

  const tell = (): Promise<void> => (under = under.then(tellNow));
  const timer = setInterval(() => void tell(), everyMs);
  timer.unref();
  return {
    tell,
    async close() {
      clearInterval(timer);
      await tell();
    },
  };
}

function keyOf({ place, rule, reason, action }: RedactionCount): string {
  return JSON.stringify([place, rule, reason, action]);
}

/** Where a ledger's key lies: beside its file. */
export function besideLedger(path: string, suffix: string): string | undefined {
  return path === ':memory:' ? undefined : `${path.replace(/\.sqlite$/, '')}.${suffix}`;
}
