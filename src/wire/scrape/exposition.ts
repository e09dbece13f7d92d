import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { parseOpenMetrics } from './open-metrics.ts';
import { parseProtobuf } from './protobuf.ts';
import { expositionFormat } from './protocols.ts';
import type { ExpositionSink, ParseOptions } from './sink.ts';
import { parseText } from './text.ts';

export type { ExposedSeries, ExpositionSink, ParseOptions } from './sink.ts';

/**
 * Reads what a target exposes, in the format that its Content-Type names, and hands it to `sink` piece by piece. Accepts
 * and refuses what Prometheus 3.15 does. Throws `bad_data` with the line and column, or the byte in protobuf, at which the
 * body goes wrong; the sink has been given what stands before it, and Prometheus stores none of that.
 */
export function parseExposition(
  body: Uint8Array,
  contentType: string | undefined,
  options: ParseOptions,
  sink: ExpositionSink,
): void {
  // An empty answer is a target that has nothing to say, whatever its type.
  if (body.length === 0) return;
  if (body.length > LIMITS.scrapeBodyBytes) {
    throw new ComityError(
      'body_too_large',
      `an exposition of ${body.length} bytes: ${LIMITS.scrapeBodyBytes} are allowed`,
    );
  }
  const format = expositionFormat(contentType, options.fallback);
  if (format === 'protobuf') parseProtobuf(body, options, sink);
  else if (format === 'openmetrics') parseOpenMetrics(body, options, sink);
  else parseText(body, options, sink);
}
