import Fastify, { type FastifyInstance } from 'fastify';
import { otlpReceiver, type OtlpReceiverDeps } from '../../src/agent/otlp-receiver.ts';
import type { Appended, Batch } from '../../src/model/batch.ts';
import { labelsRecord } from '../../src/model/labels.ts';
import { isStaleAt } from '../../src/model/series.ts';

/** A sample as it reached `append`. */
export interface Row {
  readonly labels: Record<string, string>;
  readonly timeMs: number;
  /** Undefined for a staleness marker. */
  readonly value: number | undefined;
  readonly mode: number;
}

export interface Harness {
  readonly app: FastifyInstance;
  /** All rows so far. */
  readonly rows: Row[];
  /** Calls of `append` and `onStreams`, in order. */
  readonly calls: string[];
  close(): Promise<void>;
}

export const NOW_MS = Date.UTC(2026, 0, 1);

/** A receiver that keeps what it is sent. `deps` replaces parts of it. */
export async function startReceiver(deps: Partial<OtlpReceiverDeps> = {}): Promise<Harness> {
  const rows: Row[] = [];
  const calls: string[] = [];
  const app = Fastify();
  await app.register(otlpReceiver, {
    append(batch) {
      const added = rowsOf(batch);
      rows.push(...added);
      calls.push(`append ${added.length}`);
      return allStored(batch);
    },
    onStreams(signal, streams, nowMs) {
      calls.push(`${signal} ${JSON.stringify(streams)} ${nowMs}`);
    },
    domain: 'eu',
    domainLabel: 'domain',
    now: () => NOW_MS,
    ...deps,
  });
  return { app, rows, calls, close: async () => app.close() };
}

export function allStored(batch: Batch): Appended {
  return { stored: batch.times.length, repeated: 0, rejected: new Map() };
}

function rowsOf(batch: Batch): Row[] {
  return Array.from(batch.times, (timeMs, i) => ({
    labels: labelsRecord(batch.series[batch.seriesOf[i]!]!),
    timeMs,
    value: isStaleAt(batch.values, i) ? undefined : batch.values[i]!,
    mode: batch.modes[i]!,
  }));
}
