import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { DEFAULT_SHARE } from '../../src/agent/load-gate.ts';
import { LIMITS } from '../../src/base/limits.ts';
import { readAgentConfig } from '../../src/agent/config.ts';
import { readHubConfig } from '../../src/hub/config.ts';

let dir: string;
beforeAll(() => void (dir = mkdtempSync(join(tmpdir(), 'comity-config-'))));
afterAll(() => rmSync(dir, { recursive: true }));

function written(config: object): string {
  const path = join(dir, 'config.yaml');
  writeFileSync(path, JSON.stringify(config));
  return path;
}

function agent(query: string, more: object = {}): string {
  const base = { domain: 'eu', jurisdiction: 'EU', store: 's', policy: 'p.yaml', token: 'a-token-that-is-long-enough' };
  return written({ ...base, listen: { query }, ...more });
}

it.each([
  ['127.0.0.1:9091', true],
  ['127.8.0.1:0', true],
  ['[::1]:9091', true],
  ['localhost:9091', true],
  ['0.0.0.0:9091', false],
  ['[::]:9091', false],
  ['10.1.2.3:9091', false],
  ['127.0.0.1.example.org:9091', false],
  ['agent.example.org:9091', false],
])('raw samples are read on the loopback interface alone: %s', (address, isAllowed) => {
  const path = agent(address);
  if (isAllowed) expect(readAgentConfig(path).listen.query).toBe(address);
  else
    expect(() => readAgentConfig(path)).toThrow(/\/listen\/query: .* can be reached from other machines.*allow_remote/);
  expect(readAgentConfig(agent(address, { query: { allow_remote: true } })).listen.query).toBe(address);
});

it('the settings of local queries are read', () => {
  const query = { audit_bytes: 8 * 1024 * 1024, timeout: '10s', lookback: '1m' };
  expect(readAgentConfig(agent('127.0.0.1:0', { query })).query).toEqual({
    auditBytes: 8 * 1024 * 1024,
    timeoutMs: 10_000,
    lookbackMs: 60_000,
  });
  expect(() => readAgentConfig(agent('127.0.0.1:0', { query: { audit_bytes: 1_000 } }))).toThrow(/audit_bytes/);
  expect(() => readAgentConfig(agent('127.0.0.1:0', { query: { timeout: 'soon' } }))).toThrow(/\/query\/timeout/);
  expect(() => readAgentConfig(agent('127.0.0.1:0', { query: { lookback: '0' } }))).toThrow(/must be more than 0/);
});

it('what hubs may ask at once is read, and the rest has defaults', () => {
  const share = (federation: object) =>
    readAgentConfig(agent('127.0.0.1:0', { limits: { federation } })).limits?.federation;
  expect(readAgentConfig(agent('127.0.0.1:0')).limits?.federation).toEqual(DEFAULT_SHARE);
  expect(share({ cost: 1_000, queue_ms: 500 })).toEqual({ ...DEFAULT_SHARE, cost: 1_000, queueMs: 500 });
  expect(share({ concurrent: 1, queued: 0 })).toEqual({ ...DEFAULT_SHARE, concurrent: 1, queued: 0 });
  for (const wrong of [
    { concurrent: 0 },
    { queued: -1 },
    { cost: 0 },
    { queue_ms: 30_001 },
    { queue_ms: 0 },
    { wait: 1 },
  ]) {
    expect(() => share(wrong), JSON.stringify(wrong)).toThrow(/\/limits\/federation/);
  }
});

it('a request that stays within every limit fits into the default share', () => {
  const { cost } = DEFAULT_SHARE;
  expect((cost * 7) / 8).toBeGreaterThanOrEqual(LIMITS.samplesPerQuery + LIMITS.cellsPerQuery);
});

it('features are those of the file and of the command line', () => {
  const path = agent('127.0.0.1:0', { features: ['use-start-timestamps'] });
  expect(readAgentConfig(path, ['promql-binop-fill-modifiers']).features).toMatchObject({
    startTimestamps: true,
    fillModifiers: true,
    experimentalFunctions: false,
  });
  expect(() => readAgentConfig(path, ['promql'])).toThrow(/\/features: there is no feature "promql"\. There are /);
});

it('a hub has the features that its file and its command line name', () => {
  const domains = [{ name: 'eu', jurisdiction: 'EU', url: 'http://127.0.0.1:1', token: 'a-token-that-is-long-enough' }];
  const path = written({ domains, features: ['promql-experimental-functions'] });
  expect(readHubConfig(path).features).toMatchObject({ experimentalFunctions: true, fillModifiers: false });
  expect(readHubConfig(path, ['promql-delayed-name-removal']).features).toMatchObject({ delayedNameRemoval: true });
  expect(() => readHubConfig(path, ['promql'])).toThrow(/\/features: there is no feature "promql"\. There are /);
});
