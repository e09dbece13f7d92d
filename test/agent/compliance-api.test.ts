import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openCompliance } from '../../src/agent/compliance-api.ts';
import { leafWriter } from '../../src/ledger/leaf-writer.ts';
import type { Ledger } from '../../src/ledger/ledger.ts';
import { ledgerOrigin, openLedger } from '../../src/ledger/open-ledger.ts';
import { openRecorder } from '../../src/ledger/recorder.ts';
import type { ComplianceReport } from '../../src/ledger/report/report.ts';

const NOW_MS = Date.parse('2026-11-10T10:00:00Z');
const TOKEN = 'of the compliance role';

let dir: string;
let ledger: Ledger;
let api: Awaited<ReturnType<typeof openCompliance>>;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'comity-compliance-'));
  const path = join(dir, 'ledger.sqlite');
  const who = { domain: 'eu', agent: 'agent-1', now: () => NOW_MS };
  ledger = await openLedger({ path, keyPath: join(dir, 'ledger.key'), origin: ledgerOrigin('eu', 'agent-1') });
  await leafWriter(ledger, who).start({ jurisdiction: 'EU', source: 'store' });
  const recorder = await openRecorder(ledger, { ...who, consumerKey: new Uint8Array(32) });
  const consumer = { name: 'hub', jurisdiction: 'US' };
  const draft = { what: 'labels', policy: 'digest', decision: 'released', fragments: [], consumer } as const;
  await recorder.record(draft, new Uint8Array(1), new Uint8Array(123));
  const compliance = { listen: '127.0.0.1:0', token: TOKEN };
  api = await openCompliance({ domain: 'eu', compliance, ledger: path }, ledger.vkey, pino({ level: 'silent' }));
});

afterAll(async () => {
  await api?.close();
  await ledger.close();
  rmSync(dir, { recursive: true, force: true });
});

async function ask(query: string, token = TOKEN): Promise<{ status: number; type: string; text: string }> {
  const reply = await fetch(`${api!.url}/compliance/v1/report${query}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  return { status: reply.status, type: reply.headers.get('content-type') ?? '', text: await reply.text() };
}

describe('the report of a running agent', () => {
  test('is made from its ledger, of the period', async () => {
    const { status, text } = await ask('?from=2026-11-10T00:00:00Z&to=2026-11-11T00:00:00Z');
    expect(status).toBe(200);
    const { data } = JSON.parse(text) as { data: ComplianceReport };
    expect(data.summary).toMatchObject({ answers: 1, bytes: 123, destinations: ['US'] });
    expect(data.ledger).toMatchObject({ size: 2, key: ledger.vkey });
    const before = JSON.parse((await ask('?from=2026-11-08T00:00:00Z&to=2026-11-09T00:00:00Z')).text) as {
      data: ComplianceReport;
    };
    expect(before.data.summary.answers).toBe(0);
  });

  test('comes as a page too', async () => {
    const { type, text } = await ask('?format=html&from=2026-11-10T00:00:00Z&to=2026-11-11T00:00:00Z');
    expect(type).toMatch(/^text\/html/);
    expect(text).toContain('<h1>What left eu</h1>');
  });

  test.each<[query: string, token: string, status: number, error: RegExp]>([
    ['', 'another', 401, /token of the compliance role/],
    ['?domain=us', TOKEN, 404, /agent of eu, not of us/],
    ['?from=2026-11-11T00:00:00Z&to=2026-11-10T00:00:00Z', TOKEN, 400, /"from"/],
    ['?from=soon', TOKEN, 400, /"from"/],
    ['?format=pdf', TOKEN, 400, /"format"/],
  ])('%s is refused', async (query, token, status, error) => {
    const reply = await ask(query, token);
    expect(reply.status).toBe(status);
    expect((JSON.parse(reply.text) as { error: string }).error).toMatch(error);
  });
});
