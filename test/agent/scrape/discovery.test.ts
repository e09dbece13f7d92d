import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { startScraper, type Scraper } from '../../../src/agent/scrape/scraper.ts';
import { jobsOf, memory, STALE, startExporter, until, type Exporter, type Memory } from './harness.ts';

let folder: string;
let exporter: Exporter;
let store: Memory;
let scraper: Scraper | undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'comity-targets-'));
  exporter = await startExporter('a 1\n');
  store = memory();
});

afterEach(async () => {
  await scraper?.close();
  scraper = undefined;
  await exporter.close();
  await rm(folder, { recursive: true, force: true });
});

async function start(fields: string): Promise<Scraper> {
  const text = `scrape_configs: [{job_name: x, scrape_interval: 200ms, ${fields}}]`;
  scraper = await startScraper(jobsOf(text, join(folder, 'agent.yaml')), store.deps);
  return scraper;
}

/** The label `n` of the targets there are. */
function targets(state = 'active'): string[] {
  return scraper!
    .targets()
    .filter((target) => target.state === state)
    .map((target) => target.discoveredLabels['n'] ?? '')
    .sort();
}

function group(...numbers: number[]): string {
  return JSON.stringify(numbers.map((n) => ({ targets: [exporter.address], labels: { n: String(n) } })));
}

test('targets come from JSON and YAML files, whose scalars are text', async () => {
  await writeFile(join(folder, 'a.json'), group(1, 2));
  await writeFile(join(folder, 'b.yml'), `- targets: ['${exporter.address}']\n  labels: {n: 1.0, m: yes}\n`);
  await writeFile(join(folder, 'c.txt'), group(7));
  await start("file_sd_configs: [{files: ['*.json', 'b.yml', 'none.yaml']}]");
  expect(targets()).toEqual(['1', '1.0', '2']);
  await until(() => store.values('up').length >= 3, 'scrapes');
  const { labels } = store.rows.find((row) => row.labels['m'] !== undefined)!;
  expect(labels).toEqual({ domain: 'eu', instance: exporter.address, job: 'x', n: '1.0', m: 'yes' });
  expect(scraper!.targets()[0]!.discoveredLabels['__meta_filepath']).toBe(join(folder, 'a.json'));
});

test('changes are seen: files written over, replaced, new, broken and removed', async () => {
  const file = join(folder, 'a.json');
  await writeFile(file, group(1));
  await start("file_sd_configs: [{files: ['*.json']}]");
  expect(targets()).toEqual(['1']);
  await writeFile(file, group(1, 2));
  await until(() => targets().join() === '1,2', 'a file written over');
  await writeFile(join(folder, 'new'), group(3));
  await rename(join(folder, 'new'), file);
  await until(() => targets().join() === '3', 'a file replaced');
  await writeFile(join(folder, 'b.json'), group(4));
  await until(() => targets().join() === '3,4', 'a new file');
  await writeFile(join(folder, 'b.json'), '[{');
  await until(() => store.log.some((line) => line.includes('targets could not be read')), 'a complaint');
  expect(targets()).toEqual(['3', '4']);
  await writeFile(join(folder, 'b.json'), '[{"targets": [1]}]');
  await until(() => store.log.some((line) => line.includes('/0/targets/0 must be string')), 'another complaint');
  expect(targets()).toEqual(['3', '4']);
  await rm(join(folder, 'b.json'));
  await until(() => targets().join() === '3', 'a removed file');
});

test('a folder of links whose target is exchanged, as volumes of settings are', async () => {
  for (const version of ['v1', 'v2']) {
    await mkdir(join(folder, 'volume', version), { recursive: true });
    await writeFile(join(folder, 'volume', version, 'a.json'), group(version === 'v1' ? 1 : 2));
  }
  await symlink('v1', join(folder, 'volume', 'data'));
  await symlink('data/a.json', join(folder, 'volume', 'a.json'));
  await start("file_sd_configs: [{files: ['volume/*.json']}]");
  expect(targets()).toEqual(['1']);
  await symlink('v2', join(folder, 'volume', 'data_new'));
  await rename(join(folder, 'volume', 'data_new'), join(folder, 'volume', 'data'));
  await until(() => targets().join() === '2', 'the other version');
});

test('a folder that does not exist yet is looked for again', async () => {
  await start("file_sd_configs: [{files: ['later/a.json'], refresh_interval: 100ms}]");
  expect(targets()).toEqual([]);
  await mkdir(join(folder, 'later'));
  await writeFile(join(folder, 'later', 'a.json'), group(1));
  await until(() => targets().join() === '1', 'the folder');
});

test('a target that goes away becomes stale, with all that was known of it', async () => {
  await writeFile(join(folder, 'a.json'), group(1, 2));
  await start("file_sd_configs: [{files: ['a.json']}]");
  await until(() => ['1', '2'].every((n) => store.rows.some(({ labels }) => labels['n'] === n)), 'both targets');
  await writeFile(join(folder, 'a.json'), group(1));
  await until(() => store.rows.some(({ value }) => value === STALE), 'markers');
  const markers = store.rows.filter(({ value }) => value === STALE);
  expect(markers.map(({ name, labels }) => `${name} ${labels['n']}`)).toEqual([
    'a 2',
    'up 2',
    'scrape_duration_seconds 2',
    'scrape_samples_scraped 2',
    'scrape_samples_post_metric_relabeling 2',
    'scrape_series_added 2',
  ]);
  const last = store.rows.findLast(({ labels, value }) => labels['n'] === '2' && value !== STALE)!;
  expect(markers[0]!.timeMs).toBeGreaterThan(last.timeMs);
  expect(markers[0]!.timeMs - last.timeMs).toBeLessThan(450);
});

test('a target that comes back at once does not become stale', async () => {
  await writeFile(join(folder, 'a.json'), group(1));
  await start("file_sd_configs: [{files: ['a.json']}], relabel_configs: [{regex: n, action: labeldrop}]");
  await until(() => store.values('a').length >= 2, 'scrapes');
  // Another label makes it another target, whose series are the same.
  await writeFile(join(folder, 'a.json'), group(1).replace('"n"', '"__other"'));
  await until(() => scraper!.targets()[0]?.discoveredLabels['__other'] === '1', 'the other target');
  const seen = store.values('a').length;
  await until(() => store.values('a').length >= seen + 6, 'more scrapes');
  expect(store.values('a')).not.toContain(STALE);
});

test('one target found twice is scraped once', async () => {
  await writeFile(join(folder, 'a.json'), group(1));
  await writeFile(join(folder, 'b.json'), group(1));
  await start("file_sd_configs: [{files: ['a.json']}, {files: ['b.json']}], static_configs: []");
  expect(targets()).toEqual(['1']);
  await until(() => store.values('up').length >= 3, 'scrapes');
  expect(exporter.requests.length).toBeLessThanOrEqual(4);
});

test('targets that are dropped and refused are shown', async () => {
  await writeFile(join(folder, 'a.json'), group(1, 2, 3, 4));
  const rules = [
    '{source_labels: [n], regex: 2, action: drop}',
    '{source_labels: [n], regex: 3, target_label: __address__, replacement: http://x/}',
    '{source_labels: [n], regex: 4, target_label: __scrape_timeout__, replacement: 1h}',
  ].map((rule) => rule.replace(/regex: (\d)/, "regex: '$1'"));
  await start(`file_sd_configs: [{files: ['a.json']}], relabel_configs: [${rules.join(', ')}]`);
  expect(targets()).toEqual(['1']);
  expect(targets('dropped')).toEqual(['2']);
  expect(scraper!.targets().filter(({ state }) => state === 'refused')).toMatchObject([
    { lastError: '"http://x/" is no host:port; the scheme and the path of targets are fields of their own' },
    { lastError: '__scrape_timeout__ (1h) is longer than __scrape_interval__ (200ms)' },
  ]);
});

test('relabelling sets the interval, the timeout, the path and parameters of one target', async () => {
  await writeFile(join(folder, 'a.json'), group(1));
  const rules = [
    '{target_label: __scrape_interval__, replacement: 400ms}',
    '{target_label: __scrape_timeout__, replacement: 350ms}',
    '{target_label: __metrics_path__, replacement: /probe}',
    '{source_labels: [__address__], target_label: __param_target}',
    '{target_label: instance, replacement: named}',
  ];
  await start(
    `file_sd_configs: [{files: ['a.json']}], params: {target: [a, b]}, relabel_configs: [${rules.join(', ')}]`,
  );
  await until(() => store.values('up').length >= 3, 'scrapes');
  const [target] = scraper!.targets();
  expect(target).toMatchObject({ intervalMs: 400, timeoutMs: 350, labels: { instance: 'named', job: 'x', n: '1' } });
  expect(exporter.requests[0]!.url).toBe(`/probe?target=${encodeURIComponent(exporter.address)}&target=b`);
  expect(exporter.requests[0]!.headers['x-prometheus-scrape-timeout-seconds']).toBe('0.35');
});
