import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, expect, it } from 'vitest';
import { startAgent, type Agent } from '../../src/agent/agent.ts';
import { pushToWitnesses } from '../../src/agent/witness-push.ts';
import { startHub } from '../../src/hub/hub.ts';
import { openWitnessDb } from '../../src/hub/witness-db.ts';
import { openLedger } from '../../src/ledger/open-ledger.ts';
import { writeAddCheckpoint } from '../../src/ledger/witness.ts';
import { callApi } from './api.ts';

const dir = mkdtempSync(join(tmpdir(), 'comity-receipts-'));
const stops: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const stop of stops.reverse()) await stop();
  rmSync(dir, { recursive: true, force: true });
});

const policy = join(dir, 'policy.yaml');
writeFileSync(policy, '{version: 1, domain: eu, labels: {permit: ["*"]}, metrics: [{match: "*", class: open}]}');
const token = randomBytes(32).toString('hex');
const state = { path: join(dir, 'hub.sqlite') };
const store = join(dir, 'eu');

interface Replica {
  readonly ledger: {
    origin: string;
    keySource: string;
    witnessedSize: number;
    forked: boolean;
    fork: string | null;
  } | null;
}

/** The hub's own page, and what it says of a query. */
async function look(hub: { readonly url: string }) {
  const { body } = await callApi<{ domains: { replicas: Replica[] }[] }>(hub.url, '/api/v1/status/federation', {});
  const asked = await callApi(hub.url, '/api/v1/query', { query: 'count(up) or vector(0)' });
  const { status, reason } = asked.body.data.coverage.domains[0]!;
  return { ledger: body.data.domains[0]!.replicas[0]!.ledger, status, reason };
}

async function until(hub: { readonly url: string }, holds: (seen: Awaited<ReturnType<typeof look>>) => boolean) {
  for (;;) {
    const seen = await look(hub);
    if (holds(seen)) return seen;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

it('a ledger that was set back to an older copy is found out, and believed again once it is forgotten', async () => {
  let agent: Agent | undefined;
  const start = async (federation: string): Promise<string> => {
    const listen = { otlp: '127.0.0.1:0', federation };
    agent = await startAgent({ domain: 'eu', jurisdiction: 'EU', listen, store, shards: 0, policy, token });
    return agent.federationUrl;
  };
  const url = await start('127.0.0.1:0');
  stops.push(async () => agent?.close());
  const address = new URL(url).host;
  const hub = await startHub({
    listen: '127.0.0.1:0',
    state,
    domains: [{ name: 'eu', jurisdiction: 'EU', url, token }],
  });
  stops.push(() => hub.close());

  const first = await until(hub, ({ ledger }) => (ledger?.witnessedSize ?? 0) > 0);
  expect(first).toMatchObject({
    status: 'ok',
    ledger: { origin: 'comity.dev/eu/agent-1', keySource: 'first use', forked: false },
  });
  await agent!.close();
  const files = ['', '-wal', '-shm'].map((end) => `${store}.ledger.sqlite${end}`).filter((file) => existsSync(file));
  for (const file of files) cpSync(file, `${file}.copy`);

  // An agent's own client gets the hub's cosignature, once it was told which size the hub knows.
  const path = `${store}.ledger.sqlite`;
  const ledger = await openLedger({ path, keyPath: `${store}.ledger.key`, origin: first.ledger!.origin });
  const key = await fetch(`${hub.url}/federation/v1/witness/key`).then((reply) => reply.text());
  const pushed = await new Promise<string>((resolve) => {
    const witness = { url: `${hub.url}/federation/v1/witness`, key: key.trim() };
    const log = pino({ level: 'silent' });
    const pushing = pushToWitnesses(ledger, [witness], {
      log,
      everyMs: 20,
      onPush: (_name, outcome) => resolve(outcome),
    });
    stops.push(() => pushing.close());
  });
  expect(pushed).toBe('cosigned');
  const stale = {
    method: 'POST',
    body: writeAddCheckpoint({ oldSize: 0, proof: [], checkpoint: ledger.head().checkpoint }),
  };
  const conflict = await fetch(`${hub.url}/federation/v1/witness/add-checkpoint`, stale);
  expect([conflict.status, conflict.headers.get('content-type'), await conflict.text()]).toEqual([
    409,
    'text/x.tlog.size',
    `${ledger.head().size}\n`,
  ]);
  const unknown = await fetch(`${hub.url}/federation/v1/witness/add-checkpoint`, {
    method: 'POST',
    body: 'x'.repeat(99_999),
  });
  expect(unknown.status).toBe(413);
  await ledger.close();

  // The agent starts again: it is the same ledger, longer.
  await start(address);
  const grown = await until(
    hub,
    ({ ledger, status }) => status === 'ok' && ledger!.witnessedSize > first.ledger!.witnessedSize,
  );
  expect(grown.ledger!.forked).toBe(false);
  await agent!.close();

  for (const file of files) cpSync(`${file}.copy`, file);
  await start(address);
  const forked = await until(hub, ({ ledger }) => ledger!.forked);
  expect(forked.status).toBe('unreachable');
  expect(forked.reason).toContain(`its ledger has forked: ${forked.ledger!.fork}`);
  const { body } = await fetch(`${hub.url}/metrics`).then(async (reply) => ({ body: await reply.text() }));
  expect(body).toContain('comity_hub_ledger_forks_total{domain="eu"} 1');

  // What an operator does, from another process.
  const db = openWitnessDb(state.path);
  const [log] = db.logs();
  expect(log!.fork!.checkpoints.every((note) => note.startsWith('comity.dev/eu/agent-1\n'))).toBe(true);
  expect(db.forget(log!.vkey)).toBe(true);
  db.close();
  expect(await until(hub, ({ status }) => status === 'ok')).toMatchObject({ ledger: { forked: false } });
}, 60_000);
