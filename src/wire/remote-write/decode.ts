import { LIMITS } from '../../base/limits.ts';
import type { Batch } from '../../model/batch.ts';
import { heardStream } from '../../model/heard-times.ts';
import type { HeardStream } from '../../model/stream.ts';
import { wireCaches } from './cache.ts';
import { histogramReader } from './histogram.ts';
import { readLabelSet, readWriteRequest } from './read-v1.ts';
import { readV2Request } from './read-v2.ts';
import type { LeftOut } from './rejections.ts';
import { startRequest } from './request.ts';
import type { SeriesOptions } from './series.ts';

/** The messages that remote write has: 1.0 sends `prometheus.WriteRequest`, 2.0 `io.prometheus.write.v2.Request`. */
export const MESSAGES = ['prometheus.WriteRequest', 'io.prometheus.write.v2.Request'] as const;

export type RemoteWriteMessage = (typeof MESSAGES)[number];

/** A request as it can be stored. */
export interface DecodedWrite {
  readonly batch: Batch;
  readonly leftOut: LeftOut;
  /** The producers of the batch's rows, each once. */
  readonly streams: readonly HeardStream[];
  /** Rows of the batch that were sent as native histograms: those that are one, and staleness markers. */
  readonly histograms: number;
  readonly staleHistograms: number;
}

/**
 * Decodes requests, and keeps what it made of label sets from one to the next. A series, a histogram or an exemplar that
 * is not valid is left out; a request that cannot be read, or is too large, throws `bad_data` or `body_too_large`.
 */
export type RemoteWriteDecoder = (message: RemoteWriteMessage, body: Uint8Array) => DecodedWrite;

/** `cacheBytes` bounds what is kept; `LIMITS.seriesCacheBytes`, but for tests. */
export function remoteWriteDecoder(
  options: SeriesOptions,
  cacheBytes: number = LIMITS.seriesCacheBytes,
): RemoteWriteDecoder {
  const nextCache = wireCaches(options, cacheBytes, readLabelSet);
  const readHistogram = histogramReader();
  let requests = 0;
  // Senders' batches are of one size mostly.
  let rowsExpected = 0;

  return (message, body) => {
    const request = startRequest(body, requests++, rowsExpected, options.admission);
    if (message === 'prometheus.WriteRequest') readWriteRequest(request, nextCache(), readHistogram);
    else readV2Request(request, nextCache(), readHistogram);
    rowsExpected = Math.min(request.builder.rows, ROWS_EXPECTED_MAX);
    return {
      batch: request.builder.build(),
      leftOut: request.rejected.build(),
      streams: request.producers.map((producer) => heardStream(producer.stream, producer)),
      histograms: request.histograms + request.staleHistograms,
      staleHistograms: request.staleHistograms,
    };
  };
}

/** One large batch must not make every small one after it take memory for as many rows. */
const ROWS_EXPECTED_MAX = 16 * 1024;
