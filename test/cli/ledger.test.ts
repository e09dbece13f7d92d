import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { keysCommand } from '../../src/cli/keys.ts';
import { ledgerCommand } from '../../src/cli/ledger.ts';
import { filledLedger, type FilledLedger } from '../ledger/filled.ts';

let filled: FilledLedger;
let keys: string[];
const folder = mkdtempSync(join(tmpdir(), 'comity-cli-'));
beforeAll(async () => {
  filled = await filledLedger(3);
  keys = filled.keys.map(({ vkey }) => vkey);
});
afterAll(() => {
  filled.remove();
  rmSync(folder, { recursive: true });
});
afterEach(() => {
  process.exitCode = 0;
});

/** What the command prints. */
async function run(...args: readonly string[]): Promise<string> {
  const printed: string[] = [];
  const spy = vi.spyOn(process.stdout, 'write').mockImplementation((text) => printed.push(String(text)) > 0);
  try {
    const [name, ...rest] = args;
    await (name === 'keys' ? keysCommand() : ledgerCommand()).parseAsync(rest, { from: 'user' });
  } finally {
    spy.mockRestore();
  }
  return printed.join('');
}

describe('comity ledger', () => {
  test('verifies the file and an export of it, by keys from the command line and from a file', async () => {
    const file = join(folder, 'keys.txt');
    writeFileSync(file, `# of the ledger and its witness\n${keys.join('\n')}\n\n`);
    for (const path of [filled.file, filled.folder]) {
      expect(await run('ledger', 'verify', path, '--keys', ...keys)).toContain(
        'whole: comity.dev/eu/agent-1\nleaves       6\n',
      );
      expect(JSON.parse(await run('ledger', 'verify', path, '--json', '--keys', file))).toMatchObject({
        ok: true,
        size: 6,
      });
    }
    expect(process.exitCode ?? 0).toBe(0);
  });

  test('says what is wrong, with exit status 1', async () => {
    const own = keys.slice(0, 1);
    await expect(run('ledger', 'verify', filled.folder, '--keys', ...own)).rejects.toThrow(
      'no key was given for the signature',
    );
    expect(await run('ledger', 'verify', filled.folder, '--ignore-unknown', '--keys', ...own)).toContain('whole');
    expect(JSON.parse(await run('ledger', 'verify', filled.folder, '--json', '--keys', ...own))).toMatchObject({
      ok: false,
    });
    expect(process.exitCode).toBe(1);
    await expect(run('ledger', 'verify', '--keys', ...keys)).rejects.toThrow('name a ledger, or a proof');
  });

  test('exports, proves a leaf of the file, and verifies the proof', async () => {
    const exported = join(folder, 'export');
    expect(await run('ledger', 'export', filled.file, exported)).toBe(`6 leaves in ${exported}\n`);
    await expect(run('ledger', 'export', filled.file, exported)).rejects.toThrow('is not empty');
    const proof = join(folder, 'proof.txt');
    await run('ledger', 'prove', filled.file, '4', '--out', proof);
    expect(await run('ledger', 'prove', exported, '4')).toBe(readFileSync(proof, 'utf8'));
    const said = await run('ledger', 'verify', '--proof', proof, '--keys', ...keys);
    expect(said).toContain('leaf 4 is in the log comity.dev/eu/agent-1 of 6 leaves');
    await expect(run('ledger', 'prove', filled.file, '6')).rejects.toThrow('"6" is no leaf: there are 6, from 0 to 5');
  });

  test.each<[readonly string[], string[]]>([
    [[], ['start', 'policy', 'redaction', 'query', 'query', 'query']],
    [['--kind', 'policy'], ['policy']],
    [
      ['--metric', 'salaries'],
      ['query', 'query', 'query'],
    ],
    [['--metric', 'salaries', '--decision', 'released'], []],
    [['--destination', 'EU'], []],
    [['--from', '2026-11-22T08:06Z'], []],
    [
      ['--from', '2026-11-22', '--to', '2026-11-22T08:06Z', '--what', 'query'],
      ['query', 'query', 'query'],
    ],
    [
      ['--keys', 'KEYS'],
      ['start', 'policy', 'redaction', 'query', 'query', 'query'],
    ],
  ])('shows leaves: %j', async (options, kinds) => {
    const args = options.flatMap((one) => (one === 'KEYS' ? keys : [one]));
    const table = (await run('ledger', 'show', filled.file, ...args)).split('\n').slice(1, -1);
    expect(table.map((line) => line.split(/ {2,}/)[2])).toEqual(kinds);
    const json = (await run('ledger', 'show', filled.folder, '--json', ...args)).split('\n').slice(0, -1);
    expect(json.map((line) => (JSON.parse(line) as { index: number }).index)).toHaveLength(kinds.length);
  });

  test('adds up, an answer once in each group', async () => {
    const sums = async (...args: readonly string[]): Promise<unknown[]> => {
      const lines = (await run('ledger', 'show', filled.file, '--json', ...args)).split('\n').slice(0, -1);
      return lines.map((line) => JSON.parse(line) as unknown);
    };
    const counts = { answers: 3, fragments: 3, bytes: 24 };
    expect(await sums('--by', 'metric,decision')).toEqual([
      { metric: 'http_requests_total', decision: 'released', ...counts },
      { metric: 'salaries', decision: 'refused', ...counts },
    ]);
    expect(await sums('--by', 'destination')).toEqual([{ destination: 'US', answers: 3, fragments: 6, bytes: 24 }]);
    expect(await sums('--by', 'reason', '--decision', 'refused')).toEqual([{ reason: 'class_sealed', ...counts }]);
    expect((await sums('--by', 'kind')).length).toBe(4);
    await expect(run('ledger', 'show', filled.file, '--by', 'colour')).rejects.toThrow('--by: there is no "colour"');
    expect(await run('ledger', 'show', filled.file, '--by', 'metric')).toBe(
      'metric               answers  fragments  bytes\nhttp_requests_total  3        3          24\nsalaries             3        3          24\n',
    );
  });
});

test('comity keys makes a key once, and shows its public half', async () => {
  const path = join(folder, 'compliance.key');
  const vkey = await run('keys', 'make', 'compliance.example', '--out', path);
  expect(vkey).toMatch(/^compliance\.example\+[0-9a-f]{8}\+AQ?/);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(await run('keys', 'show', path)).toBe(vkey);
  expect(JSON.parse(await run('keys', 'show', vkey.trim(), '--json'))).toMatchObject({ type: 'ed25519' });
  await expect(run('keys', 'make', 'compliance.example', '--out', path)).rejects.toThrow('is there already');
  await expect(run('keys', 'show', readFileSync(path, 'utf8').trim())).rejects.toThrow('is a secret one');
});
