import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newKey } from '../../src/base/note-key.ts';
import { openWitnessDb } from '../../src/hub/witness-db.ts';

const dir = mkdtempSync(join(tmpdir(), 'comity-witness-cli-'));
const state = join(dir, 'hub.sqlite');
const [eu, us] = ['eu', 'us'].map((domain) => newKey(`comity.dev/${domain}/agent-1`).vkey) as [string, string];

beforeAll(() => {
  const db = openWitnessDb(state);
  db.trust({ domain: 'eu', url: 'http://a', vkey: eu, atMs: 0 });
  db.advance(eu, 0, { size: 41, root: Buffer.alloc(32), checkpoint: 'one' });
  db.advance(us, 0, { size: 7, root: Buffer.alloc(32), checkpoint: 'two' });
  db.addFork(us, { why: 'it has signed two logs of 7 entries', atMs: 0, checkpoints: ['two', 'other'] });
  db.close();
});
afterAll(() => rmSync(dir, { recursive: true }));

function comity(
  ...args: readonly string[]
): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, ['src/cli/main.ts', 'witness', ...args], (_error, out, err) =>
      resolve({ code: child.exitCode ?? -1, out, err }),
    );
  });
}

it('what a hub knows of ledgers is shown, and forgotten one by one', async () => {
  const shown = await comity('show', '--state', state);
  expect(shown).toEqual({
    code: 0,
    err: '',
    out: [
      'comity.dev/eu/agent-1: 41 entries witnessed',
      `  key ${eu}`,
      '  trusted on first use for eu at http://a',
      'comity.dev/us/agent-1: 7 entries witnessed; FORKED at 1970-01-01T00:00:00.000Z: it has signed two logs of 7 entries',
      `  key ${us}`,
      '',
    ].join('\n'),
  });
  expect(await comity('forget', '--state', state, 'comity.dev/us/agent-1')).toMatchObject({
    code: 0,
    out: `forgot ${us}\n`,
  });
  const left = JSON.parse((await comity('show', '--state', state, '--json')).out) as unknown;
  expect(left).toEqual([{ origin: 'comity.dev/eu/agent-1', key: eu, size: 41, trustedFor: ['eu at http://a'] }]);
  expect(await comity('forget', '--state', state, us)).toMatchObject({
    code: 1,
    err: expect.stringContaining('knows no ledger'),
  });
  expect(await comity('show', '--state', `${state}.none`)).toMatchObject({
    code: 1,
    err: expect.stringContaining('there is no file'),
  });
}, 60_000);
