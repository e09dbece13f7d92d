import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readAgentConfig, type AgentConfig } from '../../src/agent/config.ts';
import { readSourceAgentConfig } from '../../src/agent/source-config.ts';
import { newKey, verifierOf } from '../../src/base/note-key.ts';
import { readHubConfig } from '../../src/hub/config.ts';

const KEY = newKey('compliance.example').vkey;
const COMMON = 'domain: eu\njurisdiction: EU\nlisten: {}\npolicy: p.yaml\ntoken: 0123456789abcdef\n';
const keys = `keys: [{role: compliance, key: "${KEY}"}]`;

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'comity-policy-config-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

function path(text: string): string {
  const file = join(dir, 'config.yaml');
  writeFileSync(file, text);
  return file;
}

const agent = (text: string): AgentConfig => readAgentConfig(path(`${COMMON}store: s\n${text}`));

test('an agent of either kind takes bundles, a candidate and a veto', () => {
  const text = `policy_bundle: {url: "http://hub:9090/", token: 0123456789abcdef, poll_seconds: 0.5, ${keys}}\npolicy_canary: c.yaml\nveto: {opa: {url: "http://127.0.0.1:8181/v1/data/comity/allow"}}\n`;
  const source = readSourceAgentConfig(path(`${COMMON}source: {prometheus: {url: "http://localhost"}}\n${text}`));
  for (const { bundles, policyCanary, opa } of [agent(text), source]) {
    expect(bundles!.origin).toEqual({ kind: 'hub', url: 'http://hub:9090', token: '0123456789abcdef', pollMs: 500 });
    expect(bundles!.keys.map(({ role, verifier }) => [role, verifier.vkey])).toEqual([
      ['compliance', verifierOf(KEY).vkey],
    ]);
    expect(policyCanary).toBe(join(dir, 'c.yaml'));
    expect(opa).toEqual({ url: 'http://127.0.0.1:8181/v1/data/comity/allow', timeoutMs: 1_000 });
  }
  expect(agent('')).toMatchObject({ bundles: undefined, policyCanary: undefined, opa: undefined });
  expect(agent(`policy_bundle: {file: b, state: st.json, ${keys}}`).bundles).toMatchObject({
    origin: { kind: 'file', path: join(dir, 'b'), pollMs: 10_000 },
    statePath: join(dir, 'st.json'),
  });
});

test.for<[string, RegExp]>([
  [`policy_bundle: {${keys}}`, /policy_bundle: give either url or file/],
  [`policy_bundle: {url: "http://h", file: b, ${keys}}`, /give either url or file/],
  [`policy_bundle: {file: b, token: 0123456789abcdef, ${keys}}`, /shown to a url only/],
  ['policy_bundle: {file: b}', /policy_bundle/],
  ['policy_bundle: {file: b, keys: []}', /policy_bundle\/keys/],
  ['policy_bundle: {file: b, keys: [{role: admin, key: x}]}', /policy_bundle\/keys\/0\/role/],
  ['policy_bundle: {file: b, keys: [{role: operator, key: x}]}', /policy_bundle\/keys\/0\/key: the key "x"/],
  ['veto: {opa: {url: "http://127.0.0.1:8181"}}', /veto\/opa\/url/],
  ['veto: {opa: {url: "http://127.0.0.1:8181/v1/data/x", timeout_ms: 0}}', /timeout_ms/],
])('%s is refused', ([text, want]) => {
  expect(() => agent(text)).toThrow(want);
});

test('a hub serves bundles', () => {
  const hub = (text: string) =>
    readHubConfig(path(`domains: [{name: eu, jurisdiction: EU, url: "http://h", token: 0123456789abcdef}]\n${text}`));
  expect(hub(`bundles: {path: b, token: 0123456789abcdef, keys: ["${KEY}"]}`).bundles).toMatchObject({
    path: join(dir, 'b'),
    token: '0123456789abcdef',
    keys: [{ verifier: { vkey: KEY } }],
  });
  expect(hub('').bundles).toBeUndefined();
  expect(() => hub('bundles: {path: b, keys: [x]}')).toThrow(/bundles\/keys\/0/);
});
