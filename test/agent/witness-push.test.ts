import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { pino } from 'pino';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { pushToWitnesses } from '../../src/agent/witness-push.ts';
import { newKey, verifierOf } from '../../src/base/note-key.ts';
import { addCheckpoint, type CosignReply } from '../../src/hub/ledgers/add-checkpoint.ts';
import { openWitness } from '../../src/hub/ledgers/witness.ts';
import { readCheckpoint, readSignatureLine } from '../../src/ledger/checkpoint.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { openLedger } from '../../src/ledger/open-ledger.ts';
import { cosignedAt } from '../../src/ledger/witness.ts';
import { numbered } from '../ledger/trees.ts';

const log = pino({ level: 'silent' });
const NOW_MS = Date.UTC(2026, 10, 22);
const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

/** A ledger whose cosignatures are seen. */
async function grown(leaves: number): Promise<Ledger & { readonly kept: [number, string][] }> {
  const ledger = await openLedger({ path: ':memory:', origin: 'comity.dev/eu/agent-1' });
  for (const leaf of numbered(leaves)) await ledger.append(leaf);
  const kept: [number, string][] = [];
  const addCosignature = async (size: number, line: string): Promise<void> => void kept.push([size, line]);
  return { ...ledger, addCosignature, kept };
}

/** A server in the place of a witness. */
async function serving(
  answer: (body: string) => CosignReply,
): Promise<{ readonly url: string; readonly bodies: string[] }> {
  const bodies: string[] = [];
  const server: Server = createServer((request, response) => {
    void text(request).then((body) => {
      bodies.push(body);
      const { status, type, body: reply } = answer(body);
      response.writeHead(status, { 'content-type': type }).end(reply);
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  stops.push(() => new Promise((resolve) => server.close(resolve)));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, bodies };
}

function pushing(ledger: Ledger, url: string, key: string): string[] {
  const outcomes: string[] = [];
  const onPush = (witness: string, outcome: string): void => void outcomes.push(`${witness} ${outcome}`);
  const running = pushToWitnesses(ledger, [{ url, key }], { log, onPush, everyMs: 5 });
  stops.push(() => running.close());
  return outcomes;
}

describe('a checkpoint', () => {
  test('is cosigned by a hub as the ledger grows, once for each size', async () => {
    const ledger = await grown(5);
    const witness = openWitness();
    const logs = [verifierOf(ledger.vkey)];
    const { url, bodies } = await serving((body) => addCheckpoint(body, { witness, logs, nowMs: NOW_MS }));
    const outcomes = pushing(ledger, `${url}/`, witness.signer.vkey);
    await vi.waitFor(() => expect(ledger.kept).toHaveLength(1));
    for (const leaf of numbered(3)) await ledger.append(leaf);
    await vi.waitFor(() => expect(ledger.kept.at(-1)![0]).toBe(8));
    expect(ledger.kept[0]![0]).toBe(5);
    expect(new Set(outcomes)).toEqual(new Set(['comity.dev/hub cosigned']));
    expect(bodies.map((body) => body.split('\n')[0])).toEqual([
      'old 0',
      ...ledger.kept.slice(0, -1).map(([size]) => `old ${size}`),
    ]);
    const { body } = readCheckpoint(ledger.head().checkpoint);
    const signature = readSignatureLine(ledger.kept.at(-1)![1].trimEnd());
    expect(cosignedAt(body, signature, verifierOf(witness.signer.vkey))).toBe(NOW_MS / 1000);
  });

  test('goes to a witness that knows the log from before a restart', async () => {
    const ledger = await grown(5);
    const witness = openWitness();
    const logs = [verifierOf(ledger.vkey)];
    const { url, bodies } = await serving((body) => addCheckpoint(body, { witness, logs, nowMs: NOW_MS }));
    pushing(ledger, url, witness.signer.vkey);
    await vi.waitFor(() => expect(ledger.kept).toHaveLength(1));
    await stops.pop()!();
    await ledger.append(numbered(1)[0]!);
    bodies.length = 0;
    pushing(ledger, url, witness.signer.vkey);
    await vi.waitFor(() => expect(ledger.kept).toHaveLength(2));
    expect(bodies.map((body) => body.split('\n')[0])).toEqual(['old 0', 'old 5']);
  });

  test.each<[string, (body: string) => CosignReply]>([
    ['an error', () => ({ status: 500, type: 'text/plain', body: '' })],
    ['no signature', () => ({ status: 200, type: 'text/plain', body: '' })],
    ['a line that is none', () => ({ status: 200, type: 'text/plain', body: 'fine\n' })],
    ['another size for ever', () => ({ status: 409, type: 'text/x.tlog.size', body: '1\n' })],
    ['a size that the log has not', () => ({ status: 409, type: 'text/x.tlog.size', body: '99\n' })],
    ['a size that is none', () => ({ status: 409, type: 'text/x.tlog.size', body: '-1\n' })],
    ['very much', () => ({ status: 200, type: 'text/plain', body: '\n'.repeat(100_000) })],
    [
      'the signature of another key of its name',
      (body) => {
        const { signer } = openWitness();
        const logs = [verifierOf(VKEY)];
        return addCheckpoint(body, { witness: { ...openWitness(), signer }, logs, nowMs: 0 });
      },
    ],
  ])('that is answered with %s is not cosigned', async (_what, answer) => {
    const ledger = await grown(2);
    const { url, bodies } = await serving(answer);
    const outcomes = pushing(ledger, url, newKey('w.example', 'cosignature').vkey);
    await vi.waitFor(() => expect(outcomes.length).toBeGreaterThan(0));
    expect(new Set(outcomes)).toEqual(new Set(['w.example failed']));
    expect(bodies.length).toBeGreaterThan(0);
    expect(ledger.kept).toEqual([]);
  });
});

const VKEY = newKey('comity.dev/eu/agent-1').vkey;

test('a witness whose key is not one of cosignatures is refused at the start', async () => {
  const ledger = await grown(0);
  const start = () => pushToWitnesses(ledger, [{ url: 'http://127.0.0.1:1', key: VKEY }], { log, onPush() {} });
  expect(start).toThrow('is not one of cosignatures');
});
