import { batchBuilder } from '../../src/model/batch-builder.ts';
import { parseExposition } from '../../src/wire/scrape/exposition.ts';
import type { ParseOptions } from '../../src/wire/scrape/sink.ts';
import type { Random } from '../random.ts';
import { delimited, randomFamilies } from '../wire/scrape-families.ts';
import { randomText } from '../wire/scrape-lines.ts';
import { OPEN_METRICS, PLAIN, PROTOBUF, TEXT } from '../wire/scrape-rows.ts';
import { assertBatch, type FuzzTarget } from './target.ts';

const NOW_MS = 1_767_225_600_000;

/** The formats of scrapes, the first two with classic histograms as they are and made native. */
export function expositionTargets(): FuzzTarget[] {
  const text = (random: Random): Uint8Array => randomText(random, false, { badness: 0 });
  const openMetrics = (random: Random): Uint8Array => randomText(random, true, { badness: 0 });
  const families = (random: Random): Uint8Array => delimited(...randomFamilies(random, NOW_MS));
  const custom = { ...PLAIN, toCustomBuckets: true };
  return [
    exposition('scrape-text', TEXT, PLAIN, text),
    exposition('scrape-text-custom', TEXT, custom, text),
    exposition('scrape-open-metrics', OPEN_METRICS, PLAIN, openMetrics),
    exposition('scrape-open-metrics-custom', OPEN_METRICS, custom, openMetrics),
    exposition('scrape-protobuf', PROTOBUF, { ...PLAIN, keepClassic: true }, families),
    exposition('scrape-protobuf-custom', PROTOBUF, custom, families),
  ];
}

function exposition(
  name: string,
  contentType: string,
  options: ParseOptions,
  valid: (random: Random) => Uint8Array,
): FuzzTarget {
  return {
    name,
    valid,
    // Random families and conversions may clash with one another, which is refused as Prometheus does.
    mayRefuseValid: true,
    decode(input) {
      const builder = batchBuilder();
      let last = 0;
      parseExposition(input, contentType, options, {
        sample(series, value, timeMs = NOW_MS) {
          last = builder.seriesOf(series.labels());
          builder.sample(last, timeMs, value);
        },
        histogram(series, histogram, timeMs = NOW_MS) {
          last = builder.seriesOf(series.labels());
          builder.histogram(last, timeMs, histogram);
        },
        exemplar: (labels, value, timeMs = NOW_MS) => builder.exemplar({ series: last, labels, value, timeMs }),
        metadata: (metadata) => builder.metadata(metadata),
      });
      assertBatch(builder.build());
    },
  };
}
