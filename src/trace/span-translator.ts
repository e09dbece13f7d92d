import { decodeTraceRequest } from '../wire/otlp/decode.ts';
import type { OtlpTranslator, TranslateOptions } from '../wire/otlp/translation.ts';
import { spanMetrics } from './span-metrics.ts';
import { spanSurvey, type AttributeSeen } from './span-survey.ts';
import { isWornOut, spanCaches, translateSpanBytes } from './span-walk.ts';

export interface SpanOptions extends TranslateOptions {
  /** Told of attributes of some spans; of none when left out. */
  readonly attributeSeen?: AttributeSeen | undefined;
}

/**
 * The translator of OTLP spans to span metrics. Protobuf in the usual encodings is read without decoding it; JSON and
 * anything else is decoded whole. Either way the result is that of `spanMetrics`.
 */
export function spanTranslator(options: SpanOptions): OtlpTranslator {
  const survey = options.attributeSeen && spanSurvey(options.attributeSeen);
  let caches = spanCaches(options);
  return {
    translate(body, format, nowMs) {
      if (isWornOut(caches)) caches = spanCaches(options);
      if (format === 'protobuf') {
        const translation = translateSpanBytes(body, options, caches, nowMs, survey);
        if (translation !== undefined) return translation;
      }
      return spanMetrics(decodeTraceRequest(body, format), options, nowMs, caches.groups, survey);
    },
  };
}
