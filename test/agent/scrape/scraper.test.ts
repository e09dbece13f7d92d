import { afterEach, describe, expect, test } from 'vitest';
import { startScraper } from '../../../src/agent/scrape/scraper.ts';
import { closeAll, closing, jobsOf, memory, scraping, scrapes, startExporter, until } from './harness.ts';

afterEach(closeAll);

test('a scrape is one batch: samples, `up` and what it says about itself', async () => {
  const { exporter, store } = await scraping('# TYPE a counter\n# HELP a Help.\na{x="1"} 1\na{x="2"} 2\nb 3 1000\n');
  await until(() => scrapes(store) >= 3, 'three scrapes');
  const [first, second] = store.batches;
  const target = { domain: 'eu', instance: exporter.address, job: 'shop', zone: 'a' };
  const timeMs = first!.times[0]!;
  const rows = store.rows.slice(0, 8);
  expect(rows.map(({ name, labels, value }) => [name, labels, value])).toEqual([
    ['a', { ...target, x: '1' }, 1],
    ['a', { ...target, x: '2' }, 2],
    ['b', target, 3],
    ['up', target, 1],
    ['scrape_duration_seconds', target, expect.closeTo(0.1, 0)],
    ['scrape_samples_scraped', target, 3],
    ['scrape_samples_post_metric_relabeling', target, 3],
    ['scrape_series_added', target, 3],
  ]);
  expect(rows.map((row) => row.timeMs)).toEqual([timeMs, timeMs, 1000, ...Array.from({ length: 5 }, () => timeMs)]);
  expect(store.values('scrape_series_added').slice(0, 3)).toEqual([3, 0, 0]);
  // The second scrape brings the very handles of the first: nothing was decoded again.
  expect(second!.series.map((one) => first!.series.includes(one))).toEqual(second!.series.map(() => true));
  expect(store.metadata).toEqual([{ metric: 'a', type: 'counter', help: 'Help.', unit: '' }]);
  expect(store.calls).toContain(
    `metrics ${JSON.stringify([
      {
        job: 'shop',
        instance: exporter.address,
        earliestMs: 1000,
        latestMs: timeMs,
        pauses: [{ fromMs: 1000, toMs: timeMs }],
      },
    ])}`,
  );
  expect(store.calls).toContain('accepted scrape metrics 8');
});

test.each([
  ['of its own samples where all of them have times', 'a 1 1000\nb 2 3000\nc 3 2000\n', '', 3000, 1000],
  ['of the scrape where that time is not to be heeded', 'a 1 1000\n', 'honor_timestamps: false', undefined, undefined],
  ['of the scrape where it exposes nothing', '', '', undefined, undefined],
])('the latest time that a target is heard with is that %s', async (_name, body, config, latestMs, earliestMs) => {
  const { exporter, store } = await scraping(body, config);
  await until(() => scrapes(store) >= 2, 'two scrapes');
  const { timeMs } = store.rows.find(({ name }) => name === 'up')!;
  const times = { earliestMs: earliestMs ?? timeMs, latestMs: latestMs ?? timeMs };
  const stream = { job: 'shop', instance: exporter.address, ...times };
  expect(store.calls).toContain(`metrics ${JSON.stringify([stream])}`);
});

test('what is asked of a target', async () => {
  const { exporter, store } = await scraping(
    'a 1\n',
    'params: {module: [x y, z]}\nmetrics_path: /probe\nhttp_headers: {X-Tenant: {values: [one]}}',
  );
  await until(() => scrapes(store) >= 2, 'two scrapes');
  const [request] = exporter.requests;
  expect(request!.method).toBe('GET');
  expect(request!.url).toBe('/probe?module=x+y&module=z');
  expect(request!.headers).toMatchObject({
    accept:
      'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.7,' +
      'application/openmetrics-text;version=0.0.1;q=0.6,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,' +
      'text/plain;version=0.0.4;q=0.4,*/*;q=0.3',
    'accept-encoding': 'gzip',
    'user-agent': expect.stringMatching(/^Comity\/\d/),
    'x-prometheus-scrape-timeout-seconds': '0.2',
    'x-tenant': 'one',
  });
  expect(exporter.requests[1]!.socket).toBe(request!.socket);
});

test('scrapes lie one interval apart', async () => {
  const { store } = await scraping('a 1\n');
  await until(() => scrapes(store) >= 8, 'eight scrapes');
  const times = store.rows.filter(({ name }) => name === 'up').map(({ timeMs }) => timeMs);
  const gaps = times.slice(1).map((time, i) => time - times[i]!);
  // A busy machine may be late now and then, never early, and the mean stays.
  for (const gap of gaps) expect(gap).toBeGreaterThan(140);
  expect((times.at(-1)! - times[0]!) / gaps.length).toBeGreaterThan(195);
});

describe('labels', () => {
  const body = 'a{job="own",instance="there",exported_job="older"} 1\n';

  test('of the target come first', async () => {
    const { exporter, store } = await scraping(body);
    await until(() => scrapes(store) >= 1, 'a scrape');
    expect(store.rows[0]!.labels).toEqual({
      domain: 'eu',
      exported_exported_job: 'own',
      exported_instance: 'there',
      exported_job: 'older',
      instance: exporter.address,
      job: 'shop',
      zone: 'a',
    });
  });

  test('of the exporter come first where they are honoured', async () => {
    const { store } = await scraping(body, 'honor_labels: true');
    await until(() => scrapes(store) >= 1, 'a scrape');
    expect(store.rows[0]!.labels).toEqual({
      domain: 'eu',
      exported_job: 'older',
      instance: 'there',
      job: 'own',
      zone: 'a',
    });
  });

  test.each([
    ['', 'a{instance="",job="push"} 1\n'],
    [
      ', in a histogram',
      '# TYPE a histogram\na_bucket{instance="",job="push",le="+Inf"} 1\na_sum{instance="",job="push"} 1\na_count{instance="",job="push"} 1\n',
    ],
  ])('that are empty keep those of the target out where they are honoured%s', async (_, text) => {
    const { store } = await scraping(text, 'honor_labels: true\nconvert_classic_histograms_to_nhcb: true');
    await until(() => scrapes(store) >= 1, 'a scrape');
    expect(store.rows[0]!.labels).toEqual({ domain: 'eu', job: 'push', zone: 'a' });
  });

  test('of another domain move away', async () => {
    const { store } = await scraping('a{domain="us"} 1\n', 'honor_labels: true');
    await until(() => scrapes(store) >= 1, 'a scrape');
    expect(store.rows[0]!.labels).toMatchObject({ domain: 'eu', exported_domain: 'us' });
  });

  test('are asked about once for each series', async () => {
    const asked: string[] = [];
    const { store } = await scraping('a 1\nb 2\n', '', {
      admission: {
        series(labels) {
          asked.push(labels[labels.indexOf('__name__') + 1]!);
          expect(labels[labels.indexOf('domain') + 1]).toBe('eu');
          return [...labels, 'zz', 'admitted'];
        },
        exemplar: (labels) => labels,
        attribute: () => undefined,
      },
    });
    await until(() => scrapes(store) >= 3, 'three scrapes');
    expect(asked.filter((name) => !/^(scrape_|up)/.test(name))).toEqual(['a', 'b']);
    expect(asked.filter((name) => name === 'up')).toHaveLength(1);
    expect(store.rows[0]!.labels['zz']).toBe('admitted');
  });

  test('metric_relabel_configs drop and change', async () => {
    const { store } = await scraping(
      'a{x="1"} 1\nb 2\nc 3\n',
      `metric_relabel_configs:
  - {source_labels: [__name__], regex: b, action: drop}
  - {source_labels: [__name__], regex: c, target_label: __name__, replacement: renamed}
  - {regex: zone, action: labeldrop}`,
    );
    await until(() => scrapes(store) >= 2, 'two scrapes');
    expect(store.rows.slice(0, 3).map(({ name }) => name)).toEqual(['a', 'renamed', 'up']);
    expect(store.rows[0]!.labels['zone']).toBeUndefined();
    expect(store.values('scrape_samples_scraped')).toEqual(store.values('up').map(() => 3));
    expect(store.values('scrape_samples_post_metric_relabeling')).toEqual(store.values('up').map(() => 2));
  });
});

test('what cannot be stored of a scrape is counted and fails nothing', async () => {
  const old = Date.now() - 3_600_000;
  const { store } = await scraping(`a 1\na 1\nb 1 ${old}\nb 2 ${old - 1}\nlong{x="${'y'.repeat(5_000)}"} 1\nc 1\n`);
  await until(() => scrapes(store) >= 1, 'a scrape');
  await until(() => store.log.length > 0, 'a warning');
  expect(store.values('up')[0]).toBe(1);
  expect(store.rows.slice(0, 3).map(({ name, value }) => [name, value])).toEqual([
    ['a', 1],
    ['b', 1],
    ['c', 1],
  ]);
  expect(store.calls).toEqual(
    expect.arrayContaining([
      'rejected scrape metrics duplicate_timestamp 1',
      'rejected scrape metrics label_too_long 1',
      'rejected scrape metrics out_of_order 1',
    ]),
  );
  expect(JSON.parse(store.log[0]!)).toMatchObject({
    rejected: { duplicate_timestamp: 1, label_too_long: 1, out_of_order: 1 },
  });
});

test('a NaN whose bits are those of a staleness marker is a NaN', async () => {
  const { store } = await scraping('a NaN\n');
  await until(() => scrapes(store) >= 2, 'two scrapes');
  expect(store.values('a')[0]).toBeNaN();
});

test('honor_timestamps: false', async () => {
  const { store } = await scraping('a 1 1000\n', 'honor_timestamps: false');
  await until(() => scrapes(store) >= 2, 'two scrapes');
  expect(store.rows[0]!.timeMs).toBe(store.rows[1]!.timeMs);
  expect(store.values('a').length).toBeGreaterThanOrEqual(2);
});

test('exemplars go with their samples', async () => {
  const { store } = await scraping(
    (_, response) =>
      void response
        .setHeader('content-type', 'application/openmetrics-text; version=1.0.0')
        .end(
          '# TYPE a counter\n' +
            `a_total{x="1"} 3 # {trace_id="t1"} 1.5 1700000000.5\n` +
            `a_total{x="2"} 3 # {trace_id="t2"} 2.5\n` +
            `a_total{x="3"} 3 # {trace_id="${'y'.repeat(125)}"} 2.5\n# EOF\n`,
        ),
  );
  await until(() => scrapes(store) >= 1, 'a scrape');
  const [batch] = store.batches;
  expect(
    batch!.exemplars.map(({ series, timeMs, value, labels }) => [
      batch!.series[series]!.labels.at(1),
      timeMs,
      value,
      labels,
    ]),
  ).toEqual([
    ['a_total', 1_700_000_000_500, 1.5, ['trace_id', 't1']],
    ['a_total', batch!.times[0], 2.5, ['trace_id', 't2']],
  ]);
});

test('an agent with many targets spreads them over the interval', async () => {
  const exporter = closing(await startExporter('a 1\n'));
  const store = memory();
  const targets = Array.from({ length: 40 }, (_, i) => `{targets: ['${exporter.address}'], labels: {n: '${i}'}}`);
  const scraper = await startScraper(
    jobsOf(`scrape_configs: [{job_name: x, scrape_interval: 1s, static_configs: [${targets.join(', ')}]}]`),
    store.deps,
  );
  closing(scraper);
  await until(() => new Set(store.rows.map(({ labels }) => labels['n'])).size === 40, 'all targets');
  const places = store.rows.filter(({ name }) => name === 'up').map(({ timeMs }) => Math.floor((timeMs % 1000) / 250));
  expect(new Set(places)).toEqual(new Set([0, 1, 2, 3]));
});
