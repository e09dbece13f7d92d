import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { DEFAULT_SHARE } from '../../src/agent/load-gate.ts';
import { hasSource, readSourceAgentConfig } from '../../src/agent/source-config.ts';

const dir = mkdtempSync(join(tmpdir(), 'comity-source-config-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const PROMETHEUS = 'source: {prometheus: {url: "http://127.0.0.1:9090/prom"}}';
const COMMON = 'domain: eu\njurisdiction: EU\npolicy: p.yaml\ntoken: 0123456789abcdef\n';

function file(text: string): string {
  const path = join(dir, 'agent.yaml');
  writeFileSync(path, text);
  return path;
}

test('paths and secrets are resolved, the rest has defaults', () => {
  const auth = 'basic_auth: {username: me, password_file: secret}';
  const path = file(`${COMMON}source: {prometheus: {url: "https://p:9090", engine: victoriametrics, ${auth}}}\n`);
  expect(hasSource(path)).toBe(true);
  expect(readSourceAgentConfig(path)).toMatchObject({
    domain: 'eu',
    jurisdiction: 'EU',
    listen: { federation: '127.0.0.1:7201' },
    policy: join(dir, 'p.yaml'),
    token: '0123456789abcdef',
    domainLabel: 'domain',
    share: DEFAULT_SHARE,
    source: {
      url: 'https://p:9090',
      engine: 'victoriametrics',
      auth: { kind: 'basic', username: 'me', password: { file: join(dir, 'secret') } },
    },
  });
});

test('a file without a source is none of these', () => {
  expect(hasSource(file(`${COMMON}store: data\n`))).toBe(false);
});

test.for([
  [`${PROMETHEUS}\nstore: data`, /\/store does not go with source: .* no store/],
  [`${PROMETHEUS}\nscrape_configs: []`, /\/scrape_configs does not go with source: nothing is received or scraped/],
  [`${PROMETHEUS}\nlisten: {otlp: "127.0.0.1:1"}`, /\/listen\/otlp does not go with source/],
  [`${PROMETHEUS}\nlisten: {query: "127.0.0.1:1"}`, /\/listen\/query does not go with source: people of the domain/],
  ['source: {prometheus: {url: "ftp://p"}}', /\/source\/prometheus\/url/],
  ['source: {prometheus: {url: "http://me:secret@p"}}', /\/source\/prometheus\/url/],
  ['source: {prometheus: {url: "http://p", engine: thanos}}', /\/source\/prometheus\/engine/],
  ['source: {prometheus: {url: "http://p", token: a, token_file: b}}', /give one of token, token_file and basic_auth/],
  [
    'source: {prometheus: {url: "http://p", basic_auth: {username: me}}}',
    /give password or password_file, and not both/,
  ],
  ['source: {}', /\/source/],
  [`${PROMETHEUS}\nsurprise: 1`, /surprise/],
] as const)('%s is refused', ([text, reason]) => {
  expect(() => readSourceAgentConfig(file(`${COMMON}${text}\n`))).toThrow(reason);
});
