import { decodeTraceRequest } from '../wire/otlp/decode.ts';
import type { OtlpTranslator, TranslateOptions } from '../wire/otlp/translation.ts';
import { spanMetrics } from './span-metrics.ts';
import { isWornOut, spanCaches, translateSpanBytes } from './span-walk.ts';

/**
 * The translator of OTLP spans to span metrics. Protobuf in the usual encodings is read without decoding it; JSON and
 * anything else is decoded whole. Either way the result is that of `spanMetrics`.
 */
export function spanTranslator(options: TranslateOptions): OtlpTranslator {
  let caches = spanCaches(options);
  return {
    translate(body, format, nowMs) {
      if (isWornOut(caches)) caches = spanCaches(options);
      if (format === 'protobuf') {
        const translation = translateSpanBytes(body, options, caches, nowMs);
        if (translation !== undefined) return translation;
      }
      return spanMetrics(decodeTraceRequest(body, format), options, nowMs, caches.groups);
    },
  };
}
