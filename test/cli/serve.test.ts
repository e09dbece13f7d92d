import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serve } from '../../src/cli/serve.ts';
import { freePorts } from '../../scripts/demo/processes.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'comity-cli-'));
  writeFileSync(join(dir, 'policy.yaml'), '{version: 1, domain: eu, labels: {permit: []}}');
});
afterAll(() => rmSync(dir, { recursive: true }));

const AGENT = {
  domain: 'eu',
  jurisdiction: 'EU',
  listen: { otlp: '127.0.0.1:0', federation: '127.0.0.1:0' },
  store: 'store.sqlite',
  policy: 'policy.yaml',
  token: 'a-token-that-is-long-enough',
};
const HUB = {
  listen: '127.0.0.1:0',
  domains: [{ name: 'eu', jurisdiction: 'EU', url: 'http://127.0.0.1:1', token: AGENT.token }],
};

/** Starts a program with a configuration; JSON is YAML. */
function start(command: string, config: unknown, env: Record<string, string> = {}) {
  const path = join(dir, `${command}.yaml`);
  writeFileSync(path, typeof config === 'string' ? config : JSON.stringify(config));
  const child = spawn(process.execPath, ['src/cli/main.ts', command, '--config', path], {
    env: { ...process.env, ...env },
  });
  let log = '';
  const ready = Promise.withResolvers<void>();
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
    if (log.includes('ready')) ready.resolve();
  });
  const ended = once(child, 'exit').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as string | null,
    log,
  }));
  return { child, ready: ready.promise, ended };
}

describe('a configuration that is not understood ends the program with a reason', () => {
  it.each<[string, unknown, RegExp]>([
    ['agent', { ...AGENT, domian: 'eu' }, /agent\.yaml: \/domian is not a known field/],
    ['agent', { ...AGENT, domain: 'e u' }, /agent\.yaml: \/domain must match pattern/],
    ['agent', { ...AGENT, token: 'short' }, /at least 16 characters/],
    ['agent', { ...AGENT, token: undefined, token_file: 'none' }, /cannot read .*none/],
    ['agent', { ...AGENT, policy: 'none.yaml' }, /cannot read .*none\.yaml/],
    ['agent', { ...AGENT, listen: { otlp: 'here' } }, /"here" is no listen address/],
    ['hub', { ...HUB, domains: [] }, /hub\.yaml: \/domains/],
    ['hub', { ...HUB, domains: [HUB.domains[0], HUB.domains[0]] }, /domain eu is listed twice/],
    ['hub', 'listen: [', /hub\.yaml: /],
  ])('%s %j', async (command, config, reason) => {
    const { code, log } = await start(command, config).ended;
    expect([code, log]).toEqual([1, expect.stringMatching(reason)]);
    expect(log, 'a reason, no stack').not.toContain('\n    at ');
  });
});

describe.each([
  ['agent', AGENT],
  ['hub', HUB],
] as const)('%s', (command, config) => {
  it.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)('ends cleanly on %s', async (signal) => {
    const { child, ready, ended } = start(command, config);
    await ready;
    child.kill(signal);
    expect(await ended).toMatchObject({ code: 0, signal: null });
  });

  it('ends with its parent when told to', async () => {
    const { child, ready, ended } = start(command, config, { COMITY_EXIT_WITH_PARENT: '1' });
    await ready;
    child.stdin.end();
    expect(await ended).toMatchObject({ code: 0 });
  });
});

/** Every write to it fails: the disk is full. */
const FULL = '/dev/full';

it.skipIf(!existsSync(FULL))('an agent whose log has no room goes on', async () => {
  const [port] = (await freePorts(1)) as [number];
  const path = join(dir, 'full.yaml');
  writeFileSync(path, JSON.stringify({ ...AGENT, listen: { ...AGENT.listen, otlp: `127.0.0.1:${port}` } }));
  const log = openSync(FULL, 'w');
  const child = spawn(process.execPath, ['src/cli/main.ts', 'agent', '--config', path], {
    stdio: ['pipe', 'ignore', log],
  });
  closeSync(log);
  const ended = once(child, 'exit');
  const url = `http://127.0.0.1:${port}`;
  await expect
    .poll(
      () =>
        fetch(`${url}/-/ready`).then(
          ({ status }) => status,
          () => child.exitCode,
        ),
      { timeout: 10_000 },
    )
    .toBe(200);
  for (let i = 0; i < 3; i++) expect((await fetch(`${url}/v1/metrics`, { method: 'POST' })).status).toBe(415);
  child.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
});

it('a program that cannot go on is closed, and its error thrown', async () => {
  let closed = false;
  const failed = Promise.resolve(new Error('a thread has ended'));
  const close = async (): Promise<void> => void (closed = true);
  await expect(serve(async () => ({ failed, close }))).rejects.toThrow('a thread has ended');
  expect(closed).toBe(true);
});
