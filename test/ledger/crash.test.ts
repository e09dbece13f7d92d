import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { readKeyFile, verifierOf } from '../../src/base/note-key.ts';
import { openLedger } from '../../src/ledger/open-ledger.ts';
import { openLedgerReader } from '../../src/ledger/reader.ts';
import { verifyLedger } from '../../src/ledger/verify.ts';
import { randomFrom } from '../random.ts';
import { FILE, KEY, ORIGIN, type Told } from './writer.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const WRITER = fileURLToPath(new URL('writer.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'comity-ledger-'));
afterAll(() => rmSync(folder, { recursive: true }));

test(`a leaf that somebody was told of is there after kill -9 (seed ${SEED})`, { timeout: 60_000 }, async () => {
  const random = randomFrom(SEED);
  const told: Told[] = [];
  for (let round = 0; round < 2; round++) {
    told.push(...(await written('', [folder, '8'], random.int(20, 100))));
    const leaves = verifiedLeaves();
    const lost = told.filter((one) => 'leaf' in one && !leaves.has(one.leaf));
    expect(lost).toEqual([]);
    expect(leaves.size).toBeGreaterThanOrEqual(told.length);
  }
  const reopened = await openLedger({ path: join(folder, FILE), keyPath: join(folder, KEY), origin: ORIGIN });
  expect(reopened.head().size).toBeGreaterThanOrEqual(told.length);
  await reopened.close();
});

test.runIf(process.platform === 'linux')('without room nothing is told, and what was told is there', async () => {
  // So many blocks of 1,024 bytes for each file.
  const told = await written('ulimit -f 400; ', [folder, '8'], Infinity);
  const end = told.at(-1)!;
  expect(end).toMatchObject({ ended: 'unavailable', message: expect.stringContaining('the ledger cannot be written') });
  const leaves = verifiedLeaves();
  const lost = told.filter((one) => 'leaf' in one && !leaves.has(one.leaf));
  expect(lost).toEqual([]);
  expect(leaves.size).toBeGreaterThanOrEqual('size' in end ? end.size : Infinity);
});

/** What a writer told until it ended, or was killed after so many lines. */
async function written(before: string, args: readonly string[], lines: number): Promise<Told[]> {
  const command = `${before}exec "$0" "$@"`;
  const child = spawn('sh', ['-c', command, process.execPath, WRITER, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = new Promise((resolve) => child.once('close', resolve));
  const told: Told[] = [];
  for await (const line of createInterface(child.stdout)) {
    // The last one may have been cut short.
    if (line.endsWith('}')) told.push(JSON.parse(line) as Told);
    if (told.length === lines) child.kill('SIGKILL');
  }
  await closed;
  return told;
}

/** The leaves of a log that is whole. */
function verifiedLeaves(): ReadonlySet<string> {
  const path = join(folder, FILE);
  const { size } = verifyLedger(path, [verifierOf(readKeyFile(join(folder, KEY)).vkey)]);
  const reader = openLedgerReader(path);
  const leaves = new Set([...reader.entries()].map(({ bytes }) => Buffer.from(bytes).toString()));
  reader.close();
  expect(leaves.size).toBe(size);
  return leaves;
}
