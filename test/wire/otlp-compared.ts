import { expect } from 'vitest';
import { ADMIT_ALL } from '../../src/model/admission.ts';
import { decodeMetricsRequest } from '../../src/wire/otlp/decode.ts';
import { translateMetrics, type MetricsOptions } from '../../src/wire/otlp/translate.ts';
import { otlpTranslator } from '../../src/wire/otlp/translator.ts';
import { outcomeOf } from './otlp-outcome.ts';

export const NOW_MS = Date.UTC(2026, 0, 1);
export const OPTIONS: MetricsOptions = { domain: 'eu', domainLabel: 'domain', admission: ADMIT_ALL };

/** Whole requests decoded, and what the translator makes of their bytes with what it has seen before. */
export function compared(options: MetricsOptions): (body: Uint8Array, where: string) => unknown {
  const translator = otlpTranslator(options);
  return (body, where) => {
    const want = outcomeOf(() => translateMetrics(decodeMetricsRequest(body, 'protobuf'), options, NOW_MS));
    expect(
      outcomeOf(() => translator.translate(body, 'protobuf', NOW_MS)),
      where,
    ).toEqual(want);
    expect(
      outcomeOf(() => translator.translate(body, 'protobuf', NOW_MS)),
      `${where}, again`,
    ).toEqual(want);
    return want;
  };
}
