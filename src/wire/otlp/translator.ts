import { translateBytes } from './byte-walk.ts';
import { decodeMetricsRequest } from './decode.ts';
import { isWornOut, metricCaches } from './metric-caches.ts';
import { DEFAULT_PROMOTED } from './resource.ts';
import { translateMetrics, type MetricsOptions } from './translate.ts';
import type { OtlpTranslator } from './translation.ts';

/**
 * The translator of OTLP metrics. Protobuf in the usual encodings is translated from its bytes, by what was seen before;
 * JSON and anything else is decoded whole. Either way the result is that of `translateMetrics`.
 */
export function otlpTranslator(options: MetricsOptions): OtlpTranslator {
  const promote = options.promoteResourceAttributes ?? DEFAULT_PROMOTED;
  let caches = metricCaches();
  return {
    translate(body, format, nowMs) {
      if (format === 'protobuf') {
        if (isWornOut(caches)) caches = metricCaches();
        const translation = translateBytes(body, options, promote, caches, nowMs);
        if (translation !== undefined) return translation;
      }
      return translateMetrics(decodeMetricsRequest(body, format), options, nowMs);
    },
  };
}
