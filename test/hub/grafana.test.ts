import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { exponential, nativeSeries } from '../engine/native-series.ts';
import { histogramAt, isHistogramAt } from '../../src/model/histogram.ts';
import { callApi } from '../system/api.ts';
import { startFederation, store, type Federation } from '../system/federation.ts';
import { readAsGrafana } from './grafana.ts';

const NOW = Math.floor(Date.now() / 1000);
const GAP = /^partial answer: /;
const FORM = { 'content-type': 'application/x-www-form-urlencoded' };

let federation: Federation;

beforeAll(async () => {
  federation = await startFederation({
    domains: ['a', 'b'],
    policy: (domain) => `
version: 1
domain: ${domain}
labels: {permit: [i, trace_id]}
metrics:
  - {match: m, class: open}
  - {match: h, class: open}
  - {match: s, class: ${domain === 'a' ? 'open' : 'sealed'}}
`,
  });
  const batch = batchBuilder();
  for (const name of ['m', 's']) {
    batch.sample(batch.seriesOf(labelsOf({ __name__: name, domain: 'a', i: '1' })), NOW * 1000, NaN);
  }
  const native = nativeSeries({ __name__: 'h', domain: 'a' }, [
    [
      NOW * 1000,
      exponential(
        1,
        [
          [0, 3],
          [4, 2],
        ],
        { sum: 5 },
      ),
    ],
  ]);
  if (isHistogramAt(native.histograms, 0)) {
    batch.histogram(batch.seriesOf(native.labels), NOW * 1000, histogramAt(native.histograms, 0));
  }
  const series = batch.seriesOf(labelsOf({ __name__: 'm', domain: 'a', i: '1' }));
  batch.exemplar({ series, timeMs: NOW * 1000, value: 0.5, labels: labelsOf({ trace_id: 'a1' }) });
  await store(federation.agents.get('a')!, batch.build());
});
afterAll(() => federation.close());

/** As the data source asks: a form, with what belongs to the place beside the path. */
const ask = async (path: string, params: Record<string, string>, headers: Record<string, string> = {}) => {
  const init = { method: 'POST', body: new URLSearchParams(params).toString(), headers: { ...FORM, ...headers } };
  const { status, text } = await callApi(federation.url, `/api/v1/${path}`, {}, init);
  return { status, ...readAsGrafana(text) };
};
const range = { start: String(NOW - 30), end: String(NOW), step: '15' };

describe('what Grafana reads', () => {
  it.each<[string, string, Record<string, string>, number, string[]]>([
    ['the check of its health', 'query', { query: '1+1', time: '4' }, 1, []],
    ['a vector', 'query', { query: 'm', time: String(NOW) }, 1, []],
    ['a matrix', 'query_range', { query: 'm', ...range }, 1, []],
    ['a string', 'query', { query: '"text"' }, 1, []],
    ['nothing', 'query_range', { query: 'm{i="none"}', ...range }, 0, []],
    ['native histograms', 'query_range', { query: 'h', ...range }, 1, []],
    ['native histograms at a time', 'query', { query: 'h', time: String(NOW) }, 1, []],
    ['statistics', 'query', { query: 'm', time: String(NOW), stats: 'all' }, 1, []],
    ['an answer with infos', 'query', { query: 'rate(m[1m])', time: String(NOW) }, 0, []],
    ['exemplars', 'query_exemplars', { query: 'm', start: `${NOW - 60}000`, end: `${NOW + 60}000` }, 1, []],
    ['no exemplars', 'query_exemplars', { query: 'm{i="none"}', start: `${NOW - 60}000`, end: `${NOW}000` }, 0, []],
    ['a part', 'query', { query: 's{domain="a"} or on() sum(s)', time: String(NOW) }, 1, ['first', 'last']],
  ])('%s', async (_what, path, params, frames, gaps) => {
    const answer = await ask(path, params);
    expect([answer.status, answer.error]).toEqual([200, undefined]);
    expect(answer.frames).toHaveLength(frames);
    const warnings = answer.notices.filter(({ severity }) => severity === 'warning').map(({ text }) => text);
    if (gaps.length > 0) expect([warnings.at(0), warnings.at(-1)]).toEqual([expect.stringMatching(GAP), warnings[0]]);
    else expect(warnings.filter((text) => GAP.test(text))).toEqual([]);
  });

  it.each<[string, string, Record<string, string>, Record<string, string>, number, RegExp]>([
    ['a typing mistake', 'query', { query: 'raet(m[5m])' }, {}, 400, /^bad_data: .*did you mean "rate"/],
    ['a refusal', 'query', { query: 'unlisted' }, {}, 422, /^execution: refused: unlisted .*class aggregate/],
    [
      'an answer that is to be whole',
      'query',
      { query: 'sum(s)' },
      { FromAlert: 'true' },
      503,
      /^unavailable: partial answer: .*b refused/,
    ],
    [
      'too many points',
      'query_range',
      { query: 'm', start: '0', end: '99999', step: '1' },
      {},
      400,
      /^bad_data: exceeded maximum resolution/,
    ],
    ['a wrong exemplar query', 'query_exemplars', { query: 'sum(' }, {}, 400, /^bad_data: /],
  ])('the words of an error: %s', async (_what, path, params, headers, status, words) => {
    const answer = await ask(path, params, headers);
    expect(answer.status).toBe(status);
    expect(answer.error).toMatch(words);
  });
});

it('an error whose data it cannot read hides its words: the reader of this test knows that', () => {
  const text = JSON.stringify({ status: 'error', errorType: 'bad_data', error: 'words', data: { line: 1 } });
  expect(readAsGrafana(text).error).toBe('no resultType found');
});
