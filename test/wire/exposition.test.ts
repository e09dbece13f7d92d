import { describe, expect, test } from 'vitest';
import { LIMITS } from '../../src/base/limits.ts';
import { parseExposition, type ParseOptions } from '../../src/wire/scrape/exposition.ts';
import {
  acceptHeader,
  contentTypeOf,
  PROTO_FIRST,
  SCRAPE_PROTOCOLS,
  TEXT_FIRST,
} from '../../src/wire/scrape/protocols.ts';
import { delimited, TYPE } from './scrape-families.ts';
import { expose, OPEN_METRICS, PLAIN, PROTOBUF, shown, TEXT } from './scrape-rows.ts';

describe('the format', () => {
  const bodies = {
    text: 'foo{a="b" c="d"} 1',
    openmetrics: '# TYPE foo info\n# EOF',
    protobuf: delimited({ name: 'g', type: TYPE.gauge, metric: [{}] }),
  };

  /** The only one of the formats that the body of each can be read as is its own. */
  function check(contentType: string | undefined, fallback: string | undefined, want: keyof typeof bodies | undefined) {
    const read = Object.entries(bodies).filter(([, body]) => {
      const options = { ...PLAIN, fallback };
      const sink = { sample: () => {}, histogram: () => {}, exemplar: () => {}, metadata: () => {} };
      try {
        parseExposition(Buffer.from(body), contentType, options, sink);
        return true;
      } catch {
        return false;
      }
    });
    expect(read.map(([format]) => format)).toEqual(want === undefined ? [] : [want]);
  }

  test.each<[string | undefined, string | undefined, keyof typeof bodies | undefined]>([
    ['text/plain', undefined, 'text'],
    ['Text/Plain ; Version=0.0.4', undefined, 'text'],
    ['text/plain; version=1.0.0; escaping=allow-utf-8;', undefined, 'text'],
    ['text/plain; charset="utf-8"', undefined, 'text'],
    ['application/openmetrics-text', undefined, 'openmetrics'],
    [OPEN_METRICS, undefined, 'openmetrics'],
    [PROTOBUF, undefined, 'protobuf'],
    ['application/vnd.google.protobuf', 'text/plain', 'protobuf'],
    [undefined, 'text/plain', 'text'],
    ['', 'application/vnd.google.protobuf', 'protobuf'],
    ['text/html', 'application/openmetrics-text', 'openmetrics'],
    ['text/plain; x', 'application/openmetrics-text', 'openmetrics'],
    ['text/plain; a=1; a=2', 'application/openmetrics-text', 'openmetrics'],
    ['application/openmetrics-text; version=2.0.0', 'text/plain', 'text'],
    [undefined, undefined, undefined],
    ['', undefined, undefined],
    ['text/html', undefined, undefined],
    ['text/plain x', undefined, undefined],
    ['application/openmetrics-text; version="2.0.0"', undefined, undefined],
    ['text/plain', 'nonsense', 'text'],
    ['text/html', 'nonsense', undefined],
  ])('of %j with the fallback %j', check);

  test('errors say what to do', () => {
    expect(expose('foo 1', 'text/html').error).toBe(
      'the target\'s Content-Type "text/html" is no exposition format known here; set fallback_scrape_protocol to say how to read it',
    );
    expect(expose('foo 1', '').error).toContain('sends no Content-Type; set fallback_scrape_protocol');
  });

  test('an empty body says nothing, whatever its type', () => {
    for (const type of [TEXT, OPEN_METRICS, PROTOBUF, 'text/html', ''])
      expect(expose('', type)).toEqual({ rows: [], metadata: [], error: undefined });
  });

  test('a body that is too large is not looked at', () => {
    const body = Buffer.alloc(LIMITS.scrapeBodyBytes + 1);
    expect(() => expose(body)).toThrow(`${LIMITS.scrapeBodyBytes} are allowed`);
  });
});

test('what is asked for', () => {
  expect(acceptHeader(TEXT_FIRST)).toBe(
    'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.7,application/openmetrics-text;version=0.0.1;q=0.6,' +
      'text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.3',
  );
  expect(acceptHeader(PROTO_FIRST)).toMatch(
    /^application\/vnd\.google\.protobuf;proto=io\.prometheus\.client\.MetricFamily;encoding=delimited;q=0\.7,.*,\*\/\*;q=0\.2$/,
  );
  expect(SCRAPE_PROTOCOLS.map(contentTypeOf)).toEqual([
    'application/vnd.google.protobuf',
    'text/plain',
    'text/plain',
    'application/openmetrics-text',
    'application/openmetrics-text',
  ]);
});

describe('classic histograms of text become native ones with custom buckets', () => {
  const CONVERTED: ParseOptions = { keepClassic: false, toCustomBuckets: true };
  const BOTH: ParseOptions = { keepClassic: true, toCustomBuckets: true };
  const native = (count: number, sum: number, buckets: string, bounds: string) =>
    `schema=-53 hint=0 count=${count} sum=${sum} zero=0:0 [${buckets}] [] (${bounds})`;
  const H = '# TYPE h histogram\n';

  function check(body: string, want: readonly string[], options = CONVERTED): void {
    const { rows, error } = expose(body, TEXT, options);
    expect(error).toBeUndefined();
    expect(rows.map(shown)).toEqual(want);
  }

  test.each<[string, string, string[]]>([
    [
      'one after the other',
      `${H}h_bucket{a="1",le="1"} 1\nh_bucket{a="1",le="+Inf"} 3\nh_count{a="1"} 3\nh_sum{a="1"} 5\nh_bucket{a="2",le="1"} 2\nh_bucket{a="2",le="+Inf"} 2\ng 1`,
      [`h{a=1} ${native(3, 5, '0:1 1:2', '1')}`, `h{a=2} ${native(2, 0, '0:2', '1')}`, 'g{} 1'],
    ],
    [
      'whatever the order',
      `${H}h_sum 5\nh_bucket{le="+Inf"} 3\nh_bucket{le="2"} 2\nh_bucket{le="1"} 1\nh_bucket{le="1"} 2\n`,
      [`h{} ${native(3, 5, '0:1 1:1 2:1', '1 2')}`],
    ],
    [
      'with counts that are no integers',
      `${H}h_bucket{le="1"} 0.5\nh_count 2.5\n`,
      [`h{} ${native(2.5, 0, '0:0.5 1:2', '1')}`],
    ],
    ['without buckets', `${H}h_count 2\nh_sum 3\n`, [`h{} ${native(2, 3, '0:2', '')}`]],
    ['not without a type', 'h_bucket{le="1"} 1\nh_count 1\n', ['h_bucket{le=1} 1', 'h_count{} 1']],
    ['not of another type', '# TYPE h summary\nh_count 1\n', ['h_count{} 1']],
    ['not of another family', `${H}hh_count 1\nh_created 2\nh 3`, ['hh_count{} 1', 'h_created{} 2', 'h{} 3']],
    ['not without a bound', `${H}h_bucket 1\nh_bucket{le="x"} 2\n`, ['h_bucket{} 1', 'h_bucket{le=x} 2']],
    [
      'a comment ends one',
      `${H}h_count 1\n# x\nh_count 2`,
      [`h{} ${native(1, 0, '0:1', '')}`, `h{} ${native(2, 0, '0:2', '')}`],
    ],
    [
      'none that is wrong in itself',
      `${H}h_bucket{a="1",le="1"} 3\nh_bucket{a="1",le="+Inf"} 2\nh_count{a="2"} 1`,
      [`h{a=2} ${native(1, 0, '0:1', '')}`],
    ],
    ['none whose count is not that of its buckets', `${H}h_bucket{le="+Inf"} 2\nh_count 1\n`, []],
    [
      'with names in quotes',
      '# TYPE "h.x" histogram\n{"h.x_bucket",le="1"} 1\n{"h.x_count"} 1\n',
      [`h.x{} ${native(1, 0, '0:1', '1')}`],
    ],
  ])('%s', (_title, body, want) => check(body, want));

  test('besides the classic ones', () => {
    check(
      `${H}h_bucket{le="1"} 1\nh_count 1\n`,
      ['h_bucket{le=1.0} 1', 'h_count{} 1', `h{} ${native(1, 0, '0:1', '1')}`],
      BOTH,
    );
  });

  test('with the exemplars that have a time, the time and the start', () => {
    const body = `${H}h_bucket{le="1"} 1 2 # {a="1"} 0.5 3\nh_bucket{le="+Inf"} 1 2 # {a="2"} 0.5\nh_count 1 2\nh_created 1\n# EOF`;
    const [row, created] = expose(body, OPEN_METRICS, CONVERTED).rows;
    expect(row).toMatchObject({
      timeMs: 2000,
      startMs: 1000,
      exemplars: [{ labels: { a: '1' }, value: 0.5, timeMs: 3000 }],
    });
    expect(created?.exemplars).toEqual([]);
  });

  test('of no more bounds than a histogram may have', () => {
    const body = H + Array.from({ length: 600 }, (_, i) => `h_bucket{le="${i}"} 1\n`).join('');
    expect(expose(body, TEXT, CONVERTED).error).toContain('more than 512 buckets');
    expect(expose(body, TEXT, PLAIN).error).toBeUndefined();
  });
});

test.each<[string, Uint8Array | string, string, ParseOptions]>([
  ['text', 'a{x="",b="1",y=""} 1\n', TEXT, PLAIN],
  ['OpenMetrics', '# TYPE a gauge\na{x="",b="1",y=""} 1\n# EOF\n', OPEN_METRICS, PLAIN],
  [
    'protobuf',
    delimited({
      name: 'a',
      type: TYPE.gauge,
      metric: [
        { label: ['x', 'b', 'y'].map((name) => ({ name, value: name === 'b' ? '1' : '' })), gauge: { value: 1 } },
      ],
    }),
    PROTOBUF,
    PLAIN,
  ],
  [
    'a classic histogram made native',
    '# TYPE a histogram\na_bucket{x="",b="1",y="",le="+Inf"} 1\na_count{x="",b="1",y=""} 1\na_sum{x="",b="1",y=""} 1\n',
    TEXT,
    { ...PLAIN, toCustomBuckets: true },
  ],
])('labels with an empty value are told by name: %s', (_, body, contentType, options) => {
  const { rows } = expose(body, contentType, options);
  expect(rows.map(({ labels, emptyNames }) => ({ labels, emptyNames }))).toEqual([
    { labels: { __name__: 'a', b: '1' }, emptyNames: ['x', 'y'] },
  ]);
});
