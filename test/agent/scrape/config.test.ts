import { expect, test } from 'vitest';
import { LIMITS } from '../../../src/base/limits.ts';
import { jobsOf } from './harness.ts';

test('a job with nothing but a name has the defaults of Prometheus', () => {
  const [job] = jobsOf('scrape_configs: [{job_name: x}]');
  expect(job).toEqual({
    name: 'x',
    intervalMs: 60_000,
    timeoutMs: 10_000,
    accept: expect.stringMatching(/^application\/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.7,/),
    compression: true,
    fallback: undefined,
    metricsPath: '/metrics',
    scheme: 'http',
    params: {},
    honorLabels: false,
    honorTimestamps: true,
    trackTimestampsStaleness: false,
    histograms: { native: false, keepClassic: false, toCustomBuckets: false },
    extraMetrics: false,
    groups: [],
    files: [],
    relabel: [],
    metricRelabel: [],
    targetLimit: 0,
    sampleLimit: 0,
    labelLimit: 0,
    labelNameBytes: 0,
    labelValueBytes: 0,
    bodyBytes: LIMITS.scrapeBodyBytes,
    http: {
      basicAuth: undefined,
      authorization: undefined,
      headers: [],
      tls: { ca: undefined, cert: undefined, key: undefined, serverName: undefined, insecure: false },
      followRedirects: true,
    },
  });
});

/** `want` is what the first job has at least. */
function check(text: string, want: object): void {
  expect(jobsOf(text)[0]).toMatchObject(want);
}

test.each<[string, object]>([
  ['global: {scrape_interval: 5s}\nscrape_configs: [{job_name: x}]', { intervalMs: 5_000, timeoutMs: 5_000 }],
  [
    'global: {scrape_interval: 2m, scrape_timeout: 1m, sample_limit: 7}\nscrape_configs: [{job_name: x}]',
    { intervalMs: 120_000, timeoutMs: 60_000, sampleLimit: 7 },
  ],
  [
    'global: {scrape_timeout: 30s, sample_limit: 7}\nscrape_configs: [{job_name: x, scrape_interval: 1m30s, sample_limit: 8}]',
    { intervalMs: 90_000, timeoutMs: 30_000, sampleLimit: 8 },
  ],
  ['scrape_configs: [{job_name: x, scrape_interval: 5s}]', { intervalMs: 5_000, timeoutMs: 5_000 }],
  [
    'global: {scrape_native_histograms: true}\nscrape_configs: [{job_name: x}]',
    {
      histograms: { native: true },
      accept: expect.stringMatching(/^application\/vnd.google.protobuf;.*;q=0.7,.*\*\/\*;q=0.2$/),
    },
  ],
  ['scrape_configs: [{job_name: x, scrape_classic_histograms: true}]', { histograms: { keepClassic: true } }],
  ['scrape_configs: [{job_name: x, fallback_scrape_protocol: PrometheusText0.0.4}]', { fallback: 'text/plain' }],
  ['scrape_configs: [{job_name: x, body_size_limit: 1.5KiB}]', { bodyBytes: 1536 }],
  ['scrape_configs: [{job_name: x, body_size_limit: 2MB}]', { bodyBytes: 2 * 1024 * 1024 }],
  ['scrape_configs: [{job_name: x, body_size_limit: 8GB}]', { bodyBytes: LIMITS.scrapeBodyBytes }],
  [
    'scrape_configs: [{job_name: x, bearer_token_file: t}]',
    { http: { authorization: { type: 'Bearer', credentials: { file: '/etc/comity/t' } } } },
  ],
  [
    'scrape_configs: [{job_name: x, file_sd_configs: [{files: [a/*.json, /b.yml], refresh_interval: 30s}]}]',
    { files: [{ patterns: ['/etc/comity/a/*.json', '/b.yml'], refreshMs: 30_000 }] },
  ],
  ['scrape_configs: [{job_name: x, relabel_configs: [{action: Keep}]}]', { relabel: [expect.any(Function)] }],
])('%s', check);

test.each<[string, string]>([
  ['scrape_configs: [{}]', '/scrape_configs/0 must have required properties job_name'],
  ['scrape_configs: [{job_name: x, job_nam: y}]', '/scrape_configs/0/job_nam is not a known field'],
  [
    'scrape_configs: [{job_name: x, tls_config: {ca_fil: y}}]',
    '/scrape_configs/0/tls_config/ca_fil is not a known field',
  ],
  ['global: {scrape_intervall: 1m}', '/global/scrape_intervall is not a known field'],
  [
    'scrape_configs: [{job_name: x}, {job_name: y, kubernetes_sd_configs: []}]',
    '/scrape_configs/1/kubernetes_sd_configs: Prometheus has this field, Comity does not support it; write the targets ' +
      'into a file for file_sd_configs',
  ],
  [
    'global: {external_labels: {a: b}}',
    '/global/external_labels: Prometheus has this field, Comity does not support it',
  ],
  ['scrape_configs: [{job_name: x}, {job_name: x}]', '/scrape_configs/1/job_name: there are two jobs named "x"'],
  ['scrape_configs: [{job_name: x, scrape_interval: 15}]', '/scrape_configs/0/scrape_interval must be string'],
  ['scrape_configs: [{job_name: x, scrape_interval: 15z}]', '/scrape_configs/0/scrape_interval: not a valid duration'],
  ['scrape_configs: [{job_name: x, scrape_timeout: 2m}]', '/scrape_configs/0/scrape_timeout: is longer than'],
  ['global: {scrape_timeout: 2m}\nscrape_configs: [{job_name: x}]', '/global/scrape_timeout: is longer than'],
  [
    'scrape_configs: [{job_name: x, body_size_limit: 5 apples}]',
    '/scrape_configs/0/body_size_limit: "5 apples" is no size',
  ],
  [
    'scrape_configs: [{job_name: x, relabel_configs: [{action: kep}]}]',
    '/scrape_configs/0/relabel_configs/0: unknown action "kep"',
  ],
  [
    "scrape_configs: [{job_name: x, metric_relabel_configs: [{action: drop}, {action: drop, regex: '('}]}]",
    '/scrape_configs/0/metric_relabel_configs/1: regex "(" is no RE2 regular expression',
  ],
  [
    'scrape_configs: [{job_name: x, static_configs: [{targets: [http://a/metrics]}]}]',
    '/scrape_configs/0/static_configs: "http://a/metrics" is no host:port',
  ],
  [
    'scrape_configs: [{job_name: x, static_configs: [{targets: ["u:secret@host:9100"]}]}]',
    "/scrape_configs/0/static_configs: a target's address is host:port, without a user or a password",
  ],
  ['scrape_configs: [{job_name: x, file_sd_configs: [{files: [a/*/b.json]}]}]', '"a/*/b.json" must end in .json'],
  ['scrape_configs: [{job_name: x, file_sd_configs: [{files: [a.txt]}]}]', '"a.txt" must end in .json'],
  [
    'scrape_configs: [{job_name: x, basic_auth: {username: u}, bearer_token: t}]',
    '/scrape_configs/0: give one of basic_auth, authorization and bearer_token',
  ],
  ['scrape_configs: [{job_name: x, authorization: {}}]', 'authorization needs credentials or credentials_file'],
  ['scrape_configs: [{job_name: x, authorization: {type: Basic, credentials: c}}]', 'use basic_auth'],
  ['scrape_configs: [{job_name: x, tls_config: {cert_file: c}}]', 'tls_config needs a certificate and its key'],
  ['scrape_configs: [{job_name: x, http_headers: {Host: {values: [a]}}}]', 'http_headers cannot set Host'],
  ["scrape_configs: [{job_name: x, http_headers: {'a b': {values: [a]}}}]", '"a b" is no header'],
  [
    'scrape_configs: [{job_name: x, scrape_protocols: [OpenMetricsText2.0.0]}]',
    '/scrape_configs/0/scrape_protocols/0 must',
  ],
])('refuses %s', (text, message) => {
  let thrown = '';
  try {
    jobsOf(text);
  } catch (error) {
    thrown = (error as Error).message;
  }
  expect(thrown).toContain(message);
  expect(thrown).toContain('/etc/comity/agent.yaml: ');
});
