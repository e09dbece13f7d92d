import protobuf from 'protobufjs';
import { join } from 'node:path';
import type { Random } from '../random.ts';

const FILE = join(import.meta.dirname, '../../proto/io/prometheus/client/metrics.proto');
const FAMILY = protobuf.loadSync(FILE).lookupType('io.prometheus.client.MetricFamily');

/** A message of `io.prometheus.client`, by the names of `metrics.proto` in camel case. */
export type Message = Record<string, unknown>;

/** Families as a target sends them in protobuf. */
export function delimited(...families: readonly Message[]): Buffer {
  return Buffer.concat(families.map((family) => FAMILY.encodeDelimited(FAMILY.fromObject(family)).finish()));
}

/** The numbers of `MetricType`. */
export const TYPE = { counter: 0, gauge: 1, summary: 2, untyped: 3, histogram: 4, gaugeHistogram: 5 } as const;

const NAMES = ['foo', 'bar_seconds', 'a:b', 'näme.with dots', 'h'];
const LABEL_NAMES = ['a', 'b', 'code', 'x.y', 'zone'];
const VALUES = ['', '1', 'GET', 'é', 'a\nb', 'quote"', 'back\\slash', '\\n', 'x,y="z"}', '+Inf', '😀'];
const NUMBERS = [
  0,
  -0,
  1,
  -1,
  0.1,
  1e-7,
  123456.789,
  1e21,
  2 ** 53,
  NaN,
  Infinity,
  -Infinity,
  5e-324,
  1.7976931348623157e308,
];

/** Families of every type; each series comes once. `nowMs` is about when explicit times are. */
export function randomFamilies(random: Random, nowMs: number): Message[] {
  const names = random.subset(NAMES, 0.6);
  return names.map((name) => {
    const type = random.int(0, 5);
    const isHistogram = type >= TYPE.histogram;
    return {
      name,
      help: random.pick(['', 'Some help.', 'quote " back \\ line\n']),
      type,
      unit: name.endsWith('_seconds') && random.chance(0.5) ? 'seconds' : '',
      metric: Array.from({ length: random.int(0, 3) }, (_, i) => ({
        label: [
          { name: 'i', value: String(i) },
          ...random.subset(LABEL_NAMES, 0.3).map((label) => ({ name: label, value: random.pick(VALUES) })),
        ],
        timestampMs: random.chance(0.2) ? nowMs - random.int(0, 5000) : 0,
        gauge: { value: random.pick(NUMBERS) },
        // Prometheus 3.15 does not forget the value of an untyped metric before one without a value.
        untyped: { value: random.pick(NUMBERS) || 7 },
        counter: {
          value: random.pick(NUMBERS),
          exemplar: randomExemplar(random, nowMs),
          startTimestamp: time(nowMs - 60_000),
        },
        summary: randomSummary(random),
        ...(isHistogram ? { histogram: randomHistogram(random, nowMs) } : {}),
      })),
    };
  });
}

function randomExemplar(random: Random, nowMs: number): Message | undefined {
  if (random.chance(0.6)) return undefined;
  const timestamp = random.chance(0.7) ? time(nowMs - random.int(0, 1000)) : undefined;
  return { label: [{ name: 'trace_id', value: `t${random.int(0, 99)}` }], value: random.int(0, 9) / 2, timestamp };
}

function randomSummary(random: Random): Message {
  const quantile = random.subset([0, 0.5, 0.99, 1], 0.5).map((one) => ({ quantile: one, value: random.pick(NUMBERS) }));
  return { sampleCount: random.int(0, 2 ** 31), sampleSum: random.pick(NUMBERS), quantile };
}

function randomHistogram(random: Random, nowMs: number): Message {
  const isFloat = random.chance(0.3);
  const isNative = random.chance(0.6);
  const histogram: Message = { sampleSum: random.pick(NUMBERS), startTimestamp: time(nowMs - 60_000) };
  let count = 0;
  if (isNative) {
    const zero = random.int(0, 3);
    count =
      zero + randomSide(random, histogram, 'positive', isFloat) + randomSide(random, histogram, 'negative', isFloat);
    histogram['schema'] = random.int(-4, 8);
    // Below every bucket: Prometheus's API cuts off what lies within the zero bucket.
    histogram['zeroThreshold'] = random.pick([0, 1e-128]);
    histogram[isFloat ? 'zeroCountFloat' : 'zeroCount'] = zero;
    histogram['exemplars'] = [randomExemplar(random, nowMs)].filter((one) => one !== undefined);
    if (histogram['positiveSpan'] === undefined) histogram['positiveSpan'] = [{ offset: 0, length: 0 }];
  }
  if (!isNative || random.chance(0.5)) {
    const bounds = random.subset([-1, 0.005, 0.5, 1, 2.5, 10, 1e6, Infinity], 0.7);
    let cumulative = 0;
    const each = bounds.map((upperBound, i) => {
      cumulative = isNative ? Math.floor((count * (i + 1)) / bounds.length) : cumulative + random.int(0, 3);
      const field = isFloat ? 'cumulativeCountFloat' : 'cumulativeCount';
      return { upperBound, [field]: cumulative, exemplar: randomExemplar(random, nowMs) };
    });
    histogram['bucket'] = each;
    if (!isNative) count = cumulative;
  }
  histogram[isFloat ? 'sampleCountFloat' : 'sampleCount'] = count;
  return histogram;
}

/** Adds one side of a native histogram; its observations. */
function randomSide(random: Random, histogram: Message, side: 'positive' | 'negative', isFloat: boolean): number {
  const span: Message[] = [];
  const counts: number[] = [];
  for (let i = random.int(0, 3); i > 0; i--) {
    const length = random.int(0, 4);
    span.push({ offset: span.length === 0 ? random.int(-20, 20) : random.int(0, 5), length });
    for (let n = 0; n < length; n++) counts.push(random.int(0, 3));
  }
  histogram[`${side}Span`] = span;
  if (isFloat) histogram[`${side}Count`] = counts;
  else histogram[`${side}Delta`] = counts.map((count, i) => count - (counts[i - 1] ?? 0));
  return counts.reduce((sum, count) => sum + count, 0);
}

/** A `Timestamp`. */
export function time(ms: number): Message {
  return { seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1_000_000 };
}
