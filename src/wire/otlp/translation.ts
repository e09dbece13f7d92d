import type { Admission } from '../../model/admission.ts';
import type { Batch } from '../../model/batch.ts';
import type { HeardStream } from '../../model/stream.ts';
import type { OtlpFormat } from './decode.ts';
import type { Rejected } from './rejections.ts';

/** Where a translation runs, what it adds to every series, and what it may keep of a sender's words. */
export interface TranslateOptions {
  /** The name of the domain that receives the telemetry: the value of the domain label. */
  readonly domain: string;
  /** A sender's own label of this name is moved to `exported_<domainLabel>`. */
  readonly domainLabel: string;
  readonly admission: Admission;
}

/** What one request became. */
export interface Translation {
  /**
   * The batch; call it once. Where `adds` holds, pass a digest of the request's content as `delivery`, so that the store
   * knows the request when it comes again.
   */
  build(delivery?: string): Batch;
  /** Whether rows add to what is stored, so that the request must not be stored twice. */
  readonly adds: boolean;
  /** Data points or spans that are in the batch. A point is one or many rows, a span has a part in many. */
  readonly taken: number;
  readonly rejected: Rejected;
  /** The producers that had at least one point or span taken. */
  readonly streams: readonly HeardStream[];
}

/** Translates the requests of one signal, and keeps between them what senders say again and again. */
export interface OtlpTranslator {
  /**
   * Decodes and translates the content of one request. `nowMs` is the time of its arrival. Throws `bad_data` with the place
   * of the fault when the content is malformed, `body_too_large` when it holds more than one request may.
   */
  translate(body: Uint8Array, format: OtlpFormat, nowMs: number): Translation;
}
