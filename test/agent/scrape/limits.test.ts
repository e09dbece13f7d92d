import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { startScraper } from '../../../src/agent/scrape/scraper.ts';
import { closeAll, closing, jobsOf, memory, scraping, scrapes, startExporter, until } from './harness.ts';

afterEach(closeAll);

describe('limits fail the whole scrape', () => {
  test.each<[string, string, string, Record<string, number>]>([
    ['sample_limit: 2', 'a 1\nb 1\nc 1\n', 'sample_limit is 2', { scraped: 3, kept: 3, added: 2 }],
    ['label_limit: 5', 'a{x="1"} 1\nb{x="1",y="2"} 1\n', 'label_limit is 5', { scraped: 2, kept: 1, added: 1 }],
    ['label_name_length_limit: 8', 'a{x="1"} 1\nb{too_long_x="1"} 1\n', 'label_name_length_limit', {}],
    ['label_value_length_limit: 20', `a{x="${'ü'.repeat(11)}"} 1\n`, 'label_value_length_limit', {}],
    ['body_size_limit: 100B', `a{x="${'y'.repeat(100)}"} 1\n`, 'body_size_limit', { scraped: 0, kept: 0 }],
    [
      "metric_relabel_configs: [{target_label: __name__, replacement: ''}]",
      'a 1\n',
      'no metric name',
      { scraped: 1, kept: 0 },
    ],
  ])('%s', async (field, body, message, { scraped, kept, added }) => {
    const { store, scraper } = await scraping(body, field);
    // A busy machine may fail the first scrapes for another reason.
    await until(() => scraper.targets()[0]!.lastError?.includes(message) === true, message);
    const last = (name: string) => store.values(name).at(-1);
    expect(store.rows.map(({ name }) => name).filter((name) => !/^(up|scrape_)/.test(name))).toEqual([]);
    expect(last('up')).toBe(0);
    if (scraped !== undefined) expect(last('scrape_samples_scraped')).toBe(scraped);
    if (kept !== undefined) expect(last('scrape_samples_post_metric_relabeling')).toBe(kept);
    if (added !== undefined) expect(store.values('scrape_series_added')).toContain(added);
  });

  test('body_size_limit counts what a gzip holds', async () => {
    const bomb = gzipSync(`a 1\n${'# '.repeat(5_000_000)}\n`);
    expect(bomb.length).toBeLessThan(20_000);
    const { store, scraper } = await scraping(
      (_, response) => void response.setHeader('content-encoding', 'gzip').end(bomb),
      'body_size_limit: 1MB\nfallback_scrape_protocol: PrometheusText0.0.4\nextra_scrape_metrics: true',
    );
    await until(() => scraper.targets()[0]!.lastError?.includes('body_size_limit') === true, 'the limit');
    expect(store.values('scrape_body_size_bytes')).toContain(-1);
  });

  test('target_limit', async () => {
    const exporter = await startExporter('a 1\n');
    closing(exporter);
    const store = memory();
    const targets = ['127.0.0.1', 'localhost', '127.0.0.2'].map((host) => exporter.address.replace('127.0.0.1', host));
    const scraper = await startScraper(
      jobsOf(`
scrape_configs:
  - {job_name: x, scrape_interval: 200ms, target_limit: 2, static_configs: [{targets: [${targets.join(', ')}]}]}`),
      store.deps,
    );
    closing(scraper);
    await until(() => scrapes(store) >= 6, 'six scrapes');
    expect(new Set(store.values('up'))).toEqual(new Set([0]));
    expect(scraper.targets().map(({ lastError }) => lastError)).toEqual(
      targets.map(() => 'the job has 3 targets, target_limit is 2'),
    );
    expect(exporter.requests).toEqual([]);
  });
});
