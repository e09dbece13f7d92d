import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FragmentRecord } from '../../src/ledger/leaf.ts';
import { ledgerOrigin, openLedger } from '../../src/ledger/open-ledger.ts';
import { openRecorder } from '../../src/ledger/recorder.ts';
import type { ComplianceReport } from '../../src/ledger/report/report.ts';
import { randomFrom } from '../random.ts';

const CLI = join(import.meta.dirname, '../../src/cli/main.ts');
const NOW_MS = Date.parse('2026-11-10T10:00:00Z');

let dir: string;
let path: string;
let key: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'comity-compliance-cli-'));
  path = join(dir, 'ledger.sqlite');
  const ledger = await openLedger({ path, keyPath: join(dir, 'ledger.key'), origin: ledgerOrigin('eu', 'agent-1') });
  key = ledger.vkey;
  const who = { domain: 'eu', agent: 'agent-1', consumerKey: new Uint8Array(32), now: () => NOW_MS };
  const recorder = await openRecorder(ledger, who);
  const random = randomFrom(7);
  for (let i = 0; i < 60; i++) {
    const fragments = Array.from({ length: random.int(1, 3) }, () => fragment(random));
    const isRefused = fragments.every((one) => one.decision === 'refused');
    const consumer = { name: 'hub', jurisdiction: random.pick(['EU', 'US']) };
    const draft = {
      what: 'query',
      policy: 'p',
      decision: isRefused ? 'refused' : 'partly',
      fragments,
      consumer,
    } as const;
    await recorder.record(draft, new Uint8Array(3), new Uint8Array(random.int(1, 5_000)));
  }
  await ledger.close();
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

const PERIOD = ['--from', '2026-11-01', '--to', '2026-12-01'];

test('the commands in a report add its figures up again', async () => {
  const report = JSON.parse(
    await comity('compliance', 'report', '--domain', 'eu', ...PERIOD, '--ledger', path, '--keys', key, '--json'),
  ) as ComplianceReport;
  const sums = await recompute(report.left.recompute);
  expect(sums.length).toBeGreaterThan(5);
  expect(
    report.left.rows
      .map((row) =>
        JSON.stringify([row.metric, row.class, row.dimensions.join(','), row.destination, row.answers, row.bytes]),
      )
      .toSorted(),
  ).toEqual(
    sums
      .map((sum) =>
        JSON.stringify([
          sum['metric'],
          sum['class'],
          sum['dimensions'],
          sum['destination'],
          sum['answers'],
          sum['bytes'],
        ]),
      )
      .toSorted(),
  );
  const refused = await recompute(report.denials.recompute);
  expect(report.denials.rows.map((row) => `${row.reason} ${row.fragments}`).toSorted()).toEqual(
    refused.map((sum) => `${String(sum['reason'])} ${String(sum['fragments'])}`).toSorted(),
  );
}, 30_000);

test('writes a page, and prints a summary', async () => {
  const file = join(dir, 'report.html');
  const args = ['compliance', 'report', '--domain', 'eu', ...PERIOD, '--ledger', path, '--keys', key];
  await comity(...args, '--html', file);
  expect(readFileSync(file, 'utf8')).toContain('<h1>What left eu</h1>');
  expect(await comity(...args)).toMatch(/^ledger +verified: 60 entries/m);
}, 30_000);

const run = promisify(execFile);

async function comity(...args: string[]): Promise<string> {
  return (await run(process.execPath, [CLI, ...args])).stdout;
}

async function recompute(command: string): Promise<readonly Record<string, unknown>[]> {
  const [, ...words] = [...command.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '');
  const out = await comity(...words.map((word) => (word === 'LEDGER' ? path : word)), '--json');
  return out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

function fragment(random: ReturnType<typeof randomFrom>): FragmentRecord {
  const isRefused = random.chance(0.3);
  return {
    decision: isRefused ? 'refused' : 'released',
    ...(isRefused
      ? { reason: random.pick(['class_sealed', 'vetoed'] as const) }
      : { class: random.pick(['open', 'aggregate'] as const) }),
    metrics: [random.pick(['a_total', 'b_total', 'c'])],
    operators: ['sum'],
    dimensions: random.pick([[], ['job'], ['job', 'service']]),
    from: '2026-11-10T09:00Z',
    to: '2026-11-10T10:00Z',
    step_seconds: 60,
    cells: '10-99',
  };
}
