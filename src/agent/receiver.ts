import type { Admission } from '../model/admission.ts';
import type { Appended, Batch } from '../model/batch.ts';
import type { HeardStream } from '../model/stream.ts';

/** What the agent receives, in its metrics and in the streams that it knows. */
export type Signal = 'metrics' | 'traces';

/** Every way in, for metrics about them. */
export type ReceiverName = 'otlp_http' | 'otlp_grpc' | 'remote_write' | 'scrape';

/** What every receiver is given. */
export interface ReceiverDeps {
  /**
   * Stores a batch; resolves when it is as durable as configured. Rejects with `unavailable`, in words for the sender, when
   * nothing of the batch was stored. Hand the batch over in the turn that decoded it.
   */
  append(batch: Batch): Promise<Appended>;
  readonly admission: Admission;
  /** Told which producers were heard, after their samples are stored. */
  onStreams(signal: Signal, streams: readonly HeardStream[], nowMs: number): void;
  readonly domain: string;
  readonly domainLabel: string;
  /** Milliseconds since the epoch. */
  now(): number;
  readonly counters: ReceiverCounters;
}

/** What receivers report about themselves. */
export interface ReceiverCounters {
  /** A request or scrape that was answered. `status` is the HTTP status, or the gRPC code's name. */
  answered(receiver: ReceiverName, signal: Signal, status: string): void;
  /** Points or spans that were stored or were known already. */
  accepted(receiver: ReceiverName, signal: Signal, count: number): void;
  /** Points, spans or exemplars that were left out, by reason. */
  rejected(receiver: ReceiverName, signal: Signal, reason: string, count: number): void;
}
