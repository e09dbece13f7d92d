import { createHash } from 'node:crypto';
import { rejectedCount, type Appended, type Batch } from '../model/batch.ts';
import { labelValue, METRIC_NAME } from '../model/labels.ts';
import { spanTranslator, type SpanOptions } from '../trace/span-translator.ts';
import type { OtlpFormat } from '../wire/otlp/decode.ts';
import { quoted } from '../wire/sender-text.ts';
import type { Outcome } from '../wire/otlp/reply.ts';
import type { MetricsOptions } from '../wire/otlp/translate.ts';
import type { OtlpTranslator, Translation } from '../wire/otlp/translation.ts';
import { otlpTranslator } from '../wire/otlp/translator.ts';
import type { ReceiverDeps, ReceiverName, Signal } from './receiver.ts';

/** What OTLP over HTTP and over gRPC share: from the content of a request to what its sender is told. */
export interface OtlpCore {
  /**
   * Translates and stores the content of a request. Resolves once it is as durable as configured, also when points of it
   * were left out. Rejects with a `ComityError` when nothing of it was stored: `bad_data` and `body_too_large` for content
   * that cannot be read, `unavailable` and `overloaded` where sending it again helps.
   */
  receive(receiver: ReceiverName, signal: Signal, body: Buffer, format: OtlpFormat): Promise<Outcome>;
  /** Counts an answer, with its HTTP status or the name of its gRPC code. */
  answered(receiver: ReceiverName, signal: Signal, status: string): void;
  /** Told of what is no fault of a sender. */
  fault(error: unknown): void;
}

export interface OtlpCoreDeps
  extends ReceiverDeps, Omit<MetricsOptions, keyof ReceiverDeps>, Pick<SpanOptions, 'attributeSeen'> {
  /** Told of errors that no sender can help: for the log. */
  onFault(error: unknown): void;
}

/** One for all OTLP receivers of an agent: they share what translators keep between requests. */
export function otlpCore(deps: OtlpCoreDeps): OtlpCore {
  const translators: Record<Signal, OtlpTranslator> = { metrics: otlpTranslator(deps), traces: spanTranslator(deps) };
  return {
    async receive(receiver, signal, body, format) {
      const nowMs = deps.now();
      const translation = translators[signal].translate(body, format, nowMs);
      const batch = translation.build(translation.adds ? deliveryOf(signal, body) : undefined);
      const appended = await deps.append(batch);
      const lost = lostPoints(translation, appended);
      report(deps, receiver, signal, nowMs, translation, appended, lost);
      return outcomeOf(translation, batch, appended, lost);
    },
    answered: (receiver, signal, status) => deps.counters.answered(receiver, signal, status),
    fault: (error) => deps.onFault(error),
  };
}

/**
 * What tells a delivery from all others: senders send the same bytes again after a lost reply, and points and spans bear
 * times and ids, so no two deliveries are alike by chance.
 */
function deliveryOf(signal: Signal, body: Buffer): string {
  const digest = createHash('sha256').update(body).digest().subarray(0, 16);
  return `${signal}:${digest.toString('base64url')}`;
}

/** A span has a part in many rows: what the store counts is at most as much as was taken. */
function lostPoints(translation: Translation, appended: Appended): number {
  return Math.min(translation.taken, rejectedCount(appended));
}

/** What is stored stays stored: a fault in here is told of, and the sender still learns of its success. */
function report(
  deps: OtlpCoreDeps,
  receiver: ReceiverName,
  signal: Signal,
  nowMs: number,
  translation: Translation,
  appended: Appended,
  lost: number,
): void {
  try {
    if (translation.streams.length > 0) deps.onStreams(signal, translation.streams, nowMs);
    deps.counters.accepted(receiver, signal, translation.taken - lost);
    for (const [reason, count] of translation.rejected.reasons) {
      deps.counters.rejected(receiver, signal, reason, count);
    }
    for (const [reason, { count }] of appended.rejected) deps.counters.rejected(receiver, signal, reason, count);
  } catch (error) {
    deps.onFault(error);
  }
}

function outcomeOf(translation: Translation, batch: Batch, appended: Appended, lost: number): Outcome {
  const parts = translation.rejected.message === '' ? [] : [translation.rejected.message];
  for (const [reason, { count, firstRow }] of appended.rejected) {
    parts.push(`${count} ${reason} (first: ${rowText(batch, firstRow)})`);
  }
  return { rejected: translation.rejected.count + lost, message: parts.join('; ') };
}

/** The metric and time of a row, as the sender of it may know them. */
function rowText(batch: Batch, row: number): string {
  const series = batch.series[batch.seriesOf[row] ?? -1];
  const name = series === undefined ? '' : labelValue(series.labels, METRIC_NAME);
  const timeMs = batch.times[row];
  return `metric ${quoted(name)}${timeMs === undefined ? '' : ` at ${timeMs / 1000}`}`;
}
