import { expect } from 'vitest';
import { ADMIT_ALL } from '../../src/model/admission.ts';
import { decodeMetricsRequest } from '../../src/wire/otlp/decode.ts';
import { translateMetrics, type MetricsOptions } from '../../src/wire/otlp/translate.ts';
import type { OtlpTranslator, Translation } from '../../src/wire/otlp/translation.ts';
import { otlpTranslator } from '../../src/wire/otlp/translator.ts';
import { outcomeOf } from './otlp-outcome.ts';

export const NOW_MS = Date.UTC(2026, 0, 1);
export const OPTIONS: MetricsOptions = { domain: 'eu', domainLabel: 'domain', admission: ADMIT_ALL };

/** What a translator makes of the bytes of a request, with what it has seen before, beside what the whole of it says. */
export function compared(
  options: MetricsOptions,
  translator: OtlpTranslator = otlpTranslator(options),
  whole: (body: Uint8Array) => Translation = (body) =>
    translateMetrics(decodeMetricsRequest(body, 'protobuf'), options, NOW_MS),
): (body: Uint8Array, where: string) => unknown {
  return (body, where) => {
    const want = outcomeOf(() => whole(body));
    for (const time of ['at first', 'again']) {
      const outcome = outcomeOf(() => translator.translate(body, 'protobuf', NOW_MS));
      expect(outcome, `${where}, ${time}`).toEqual(want);
    }
    return want;
  };
}
