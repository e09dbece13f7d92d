import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compareLabels, labelsFrom } from '../../src/model/labels.ts';
import { randomFrom } from '../random.ts';
import { delimited, randomFamilies, TYPE, type Message } from './scrape-families.ts';
import { expose, OPEN_METRICS, PROTOBUF, shown, TEXT, type Row } from './scrape-rows.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const NOW_MS = 1_760_000_000_000;

interface Line {
  readonly name: string;
  readonly labels: readonly (readonly [string, string])[];
  readonly value: number;
  readonly timeMs: number | undefined;
}

const character = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('"', '\\', '\n', '\\n', '{', '}', ',', '=', '#', ' ', '\t', '\r', 'é', '😀'),
  },
);
const anyText = fc.array(character, { maxLength: 8 }).map((parts) => parts.join(''));
const noZero = anyText.filter((text) => !text.includes('\0'));
const name = fc.oneof(
  fc.stringMatching(/^[A-Za-z_][A-Za-z0-9_]{0,8}$/),
  noZero.filter((text) => text !== ''),
);
const lines: fc.Arbitrary<Line[]> = fc.array(
  fc.record({
    name: fc.oneof(fc.stringMatching(/^[A-Za-z_:][A-Za-z0-9_:]{0,8}$/), name),
    labels: fc
      .uniqueArray(fc.tuple(name, anyText), { maxLength: 4, selector: ([label]) => label })
      .map((labels) => labels.filter(([label]) => label !== '__name__')),
    value: fc.double(),
    // Protobuf cannot say 0: there it stands for none.
    timeMs: fc.option(fc.integer({ min: 1, max: 2 ** 42 }), { nil: undefined }),
  }),
  { maxLength: 5 },
);

const quoted = (text: string) => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;

function number(value: number): string {
  if (Object.is(value, -0)) return '-0';
  return String(value).replace('Infinity', 'Inf');
}

function printed({ name: metric, labels, value, timeMs }: Line, time: (ms: number) => string): string {
  const plain = /^[A-Za-z_:][A-Za-z0-9_:]*$/.test(metric);
  const pairs = labels.map(
    ([label, text]) => `${/^[A-Za-z_]\w*$/.test(label) ? label : quoted(label)}=${quoted(text)}`,
  );
  const inside = plain ? pairs : [quoted(metric), ...pairs];
  const series = `${plain ? metric : ''}${inside.length > 0 || !plain ? `{${inside.join(',')}}` : ''}`;
  return `${series} ${number(value)}${timeMs === undefined ? '' : ` ${time(timeMs)}`}\n`;
}

function wanted({ name: metric, labels, value, timeMs }: Line): unknown {
  return { labels: labelsFrom([['__name__', metric], ...labels]), value, timeMs };
}

function got({ labels, value, timeMs }: Row): unknown {
  return { labels: labelsFrom(Object.entries(labels)), value, timeMs };
}

function check(bodyOf: (all: Line[]) => string | Uint8Array, contentType: string): void {
  fc.assert(
    fc.property(lines, (all) => {
      const { rows, error } = expose(bodyOf(all), contentType);
      expect(error).toBeUndefined();
      expect(rows.map(got)).toEqual(all.map(wanted));
    }),
    { numRuns: 500 },
  );
}

test('text format', () => check((all) => all.map((line) => printed(line, String)).join(''), TEXT));

test('OpenMetrics', () => {
  const seconds = (ms: number) => `${Math.floor(ms / 1000)}.${String(ms % 1000).padStart(3, '0')}`;
  // The product of seconds and 1000 is cut to whole milliseconds, as Prometheus does it.
  const exact = (line: Line) =>
    line.timeMs === undefined ? line : { ...line, timeMs: line.timeMs - (line.timeMs % 1000) };
  fc.assert(
    fc.property(lines, (drawn) => {
      const all = drawn.map(exact);
      const body = `${all.map((line) => printed(line, seconds)).join('')}# EOF\n`;
      const { rows, error } = expose(body, OPEN_METRICS);
      expect(error).toBeUndefined();
      expect(rows.map(got)).toEqual(all.map(wanted));
    }),
    { numRuns: 500 },
  );
});

test(
  'protobuf',
  () =>
    check(
      (all) =>
        delimited(
          ...all.map(({ name: metric, labels, value, timeMs }) => ({
            name: metric,
            type: TYPE.gauge,
            metric: [
              {
                label: labels.map(([label, text]) => ({ name: label, value: text })),
                gauge: { value },
                timestampMs: timeMs ?? 0,
              },
            ],
          })),
        ),
      PROTOBUF,
    ),
  20_000,
);

test('the three formats say the same of the same families', () => {
  console.log(`seed ${SEED}`);
  for (let run = 0; run < 300; run++) {
    const random = randomFrom(SEED).fork(run);
    const families = randomFamilies(random, NOW_MS).map(withoutNative);
    const exposed = expose(delimited(...families), PROTOBUF);
    expect(exposed.error).toBeUndefined();
    const rows = exposed.rows.map((row) => ({ ...row, timeMs: row.timeMs && row.timeMs - (row.timeMs % 1000) }));
    const all = rows.map(({ labels, value, timeMs }): Line => ({
      name: labels['__name__']!,
      labels: Object.entries(labels).filter(([label]) => label !== '__name__'),
      value: Number(value),
      timeMs,
    }));
    const text = all.map((line) => printed(line, String)).join('');
    const openMetrics = all.map((line) => printed(line, (ms) => String(ms / 1000))).join('');
    expect(expose(text, TEXT).rows.map(shown)).toEqual(rows.map(shown));
    expect(expose(`${openMetrics}# EOF`, OPEN_METRICS).rows.map(shown)).toEqual(rows.map(shown));
    const sorted = rows.map(({ labels }) => labelsFrom(Object.entries(labels))).sort(compareLabels);
    expect(new Set(sorted.map((labels) => JSON.stringify(labels))).size).toBe(rows.length);
  }
});

/** A family as the text formats can say it. */
function withoutNative(family: Message): Message {
  const metric = (family['metric'] as Message[]).map(({ histogram, ...others }) =>
    histogram === undefined
      ? others
      : {
          ...others,
          histogram: Object.fromEntries(
            Object.entries(histogram as Message).filter(([field]) => /^(sampleCount|sampleSum|bucket)/.test(field)),
          ),
        },
  );
  return { ...family, metric };
}
