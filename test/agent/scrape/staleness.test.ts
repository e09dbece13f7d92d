import { afterEach, expect, test } from 'vitest';
import { ComityError } from '../../../src/base/errors.ts';
import { closeAll, scraping, scrapes, STALE, until, type Exporter } from './harness.ts';

afterEach(closeAll);

test('a series that is no longer exposed', async () => {
  const { exporter, store } = await scraping('a{x="1"} 1\na{x="2"} 1\n');
  await until(() => scrapes(store) >= 2, 'two scrapes');
  exporter.answer = 'a{x="1"} 1\n';
  await until(() => store.values('a').includes(STALE), 'a marker');
  const marked = store.rows.filter(({ value }) => value === STALE);
  expect(marked).toMatchObject([{ name: 'a', labels: { x: '2' } }]);
  const seen = scrapes(store);
  await until(() => scrapes(store) > seen + 1, 'more scrapes');
  expect(store.rows.filter(({ value }) => value === STALE)).toHaveLength(1);
  exporter.answer = 'a{x="1"} 1\na{x="2"} 7\n';
  await until(() => store.values('a').includes(7), 'the series again');
});

test.each<[string, Exporter['answer']]>([
  ['answers with 500', (_, response) => void response.writeHead(500).end('a 1\n')],
  ['answers with nonsense', 'a 1\nb 1\nthis is {\n'],
  ['hangs up', (request) => request.socket.destroy()],
  ['does not answer', () => undefined],
  ['stops in the middle', (_, response) => void response.writeHead(200, { 'content-length': 100 }).write('a 1\n')],
  ['says nothing of its format', (_, response) => void response.setHeader('content-type', 'image/png').end('a 1\n')],
  ['sends a broken gzip', (_, response) => void response.setHeader('content-encoding', 'gzip').end('a 1\n')],
])('all series of a target that %s', async (_, answer) => {
  const { exporter, store, scraper } = await scraping('a 1\nb 1\n');
  await until(() => scrapes(store) >= 2, 'two scrapes');
  exporter.answer = answer;
  await until(() => store.values('up').includes(0), 'a failure');
  expect(store.rows.filter(({ value }) => value === STALE).map(({ name }) => name)).toEqual(['a', 'b']);
  expect(store.values('a').filter((value) => value === STALE)).toHaveLength(1);
  expect(scraper.targets()).toMatchObject([{ health: 'down', lastError: expect.stringMatching(/./) }]);
  exporter.answer = 'a 2\nb 2\n';
  await until(() => store.values('a').includes(2), 'the target again');
  expect(scraper.targets()).toMatchObject([{ health: 'up', lastError: undefined }]);
  expect(store.values('up').at(-1)).toBe(1);
});

test('series with times of their own go on, unless they are tracked', async () => {
  const body = 'own{x="1"} 1 1000\n';
  const plain = await scraping(body);
  const tracked = await scraping(body, 'track_timestamps_staleness: true');
  await until(() => scrapes(plain.store) >= 2 && scrapes(tracked.store) >= 2, 'two scrapes');
  plain.exporter.answer = tracked.exporter.answer = 'x 1\n';
  await until(() => tracked.store.values('own').includes(STALE), 'a marker');
  await until(() => plain.store.values('x').length >= 2, 'two more scrapes');
  expect(plain.store.values('own')).toEqual([1]);
  expect(tracked.store.values('own')).toEqual([1, STALE]);
});

test('one of two ways to write a series going away', async () => {
  const { exporter, store } = await scraping('a{x="1",y="2"} 1\na{y="2",x="1"} 1\n');
  await until(() => scrapes(store) >= 2, 'two scrapes');
  exporter.answer = 'a{y="2",x="1"} 1\n';
  const seen = scrapes(store);
  await until(() => scrapes(store) > seen + 2, 'more scrapes');
  expect(store.values('a')).not.toContain(STALE);
  expect(store.calls.filter((call) => call.startsWith('rejected'))).toEqual([]);
});

test('markers that could not be stored come with the next scrape', async () => {
  const { exporter, store } = await scraping('a{x="1"} 1\na{x="2"} 1\n');
  await until(() => scrapes(store) >= 2, 'two scrapes');
  store.failure = new ComityError('unavailable', 'the disk is full');
  exporter.answer = 'a{x="1"} 1\n';
  await until(() => store.calls.some((call) => call.startsWith('rejected scrape metrics unavailable')), 'a loss');
  store.failure = undefined;
  await until(() => store.values('a').includes(STALE), 'a marker');
  expect(store.rows.filter(({ value }) => value === STALE)).toMatchObject([{ labels: { x: '2' } }]);
});

test('a shutdown marks nothing', async () => {
  const { store, scraper } = await scraping('a 1\n');
  await until(() => scrapes(store) >= 2, 'two scrapes');
  const started = performance.now();
  await scraper.close();
  expect(performance.now() - started).toBeLessThan(1_000);
  const { length } = store.rows;
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(store.rows).toHaveLength(length);
  expect(store.values('a')).not.toContain(STALE);
});

test('a shutdown in the middle of a scrape stores nothing of it', async () => {
  const { exporter, store, scraper } = await scraping(() => undefined);
  await until(() => exporter.requests.length > 0, 'a request');
  const rows = store.rows.length;
  await scraper.close();
  expect(store.rows).toHaveLength(rows);
});
