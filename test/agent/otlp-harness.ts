import Fastify, { type FastifyInstance } from 'fastify';
import { otlpCore, type OtlpCore, type OtlpCoreDeps } from '../../src/agent/otlp-core.ts';
import { otlpHttpReceiver } from '../../src/agent/otlp-http.ts';
import { bodyBudget, type BodyBudget } from '../../src/agent/request-body.ts';
import { LIMITS } from '../../src/base/limits.ts';
import { ADMIT_ALL } from '../../src/model/admission.ts';
import type { Appended, Batch } from '../../src/model/batch.ts';
import { histogramAt, isHistogramAt, type NativeHistogram } from '../../src/model/histogram.ts';
import { labelsRecord } from '../../src/model/labels.ts';
import { isStaleAt } from '../../src/model/series.ts';

/** A sample as it reached `append`. */
export interface Row {
  readonly labels: Record<string, string>;
  readonly timeMs: number;
  /** Undefined for a staleness marker and for a native histogram. */
  readonly value: number | undefined;
  readonly histogram: NativeHistogram | undefined;
  readonly mode: number;
  /** When the counter started; 0 when unknown. */
  readonly startMs: number;
}

export interface Harness {
  readonly app: FastifyInstance;
  readonly otlp: OtlpCore;
  readonly budget: BodyBudget;
  readonly batches: Batch[];
  /** All rows so far. */
  readonly rows: Row[];
  /** Calls of `append` and `onStreams`, in order. */
  readonly calls: string[];
  /** Calls of the counters, in order. */
  readonly counted: unknown[][];
  readonly faults: unknown[];
  close(): Promise<void>;
}

export const NOW_MS = Date.UTC(2026, 0, 1);

/** A receiver over HTTP that keeps what it is sent. `deps` replaces parts of it. */
export async function startReceiver(
  deps: Partial<OtlpCoreDeps> = {},
  bodyBytesAtOnce: number = LIMITS.bodyBytesAtOnce,
): Promise<Harness> {
  const batches: Batch[] = [];
  const rows: Row[] = [];
  const calls: string[] = [];
  const counted: unknown[][] = [];
  const faults: unknown[] = [];
  const otlp = otlpCore({
    async append(batch) {
      const added = rowsOf(batch);
      batches.push(batch);
      rows.push(...added);
      calls.push(`append ${added.length}`);
      return allStored(batch);
    },
    onStreams(signal, streams, nowMs) {
      calls.push(`${signal} ${JSON.stringify(streams)} ${nowMs}`);
    },
    admission: ADMIT_ALL,
    domain: 'eu',
    domainLabel: 'domain',
    now: () => NOW_MS,
    counters: {
      answered: (...counts) => void counted.push(['answered', ...counts]),
      accepted: (...counts) => void counted.push(['accepted', ...counts]),
      rejected: (...counts) => void counted.push(['rejected', ...counts]),
    },
    onFault: (error) => void faults.push(error),
    ...deps,
  });
  const budget = bodyBudget(bodyBytesAtOnce);
  const app = Fastify();
  await otlpHttpReceiver(app, otlp, budget);
  return { app, otlp, budget, batches, rows, calls, counted, faults, close: async () => app.close() };
}

export function allStored(batch: Batch): Appended {
  return { stored: batch.times.length, repeated: 0, rejected: new Map(), histograms: 0, exemplars: 0 };
}

function rowsOf(batch: Batch): Row[] {
  return Array.from(batch.times, (timeMs, i) => {
    const histogram = isHistogramAt(batch.histograms, i) ? histogramAt(batch.histograms, i) : undefined;
    const none = histogram !== undefined || isStaleAt(batch.values, i);
    return {
      labels: labelsRecord(batch.series[batch.seriesOf[i]!]!.labels),
      timeMs,
      value: none ? undefined : batch.values[i]!,
      histogram,
      mode: batch.modes[i]!,
      startMs: batch.startTimes?.[i] ?? 0,
    };
  });
}
