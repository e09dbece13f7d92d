import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { batchNumber, differs, fillUp, openFull } from './fill-up.ts';
import { storePath } from './samples.ts';

const CHILD = fileURLToPath(new URL('full-disk-child.ts', import.meta.url));
const MB = 1024 * 1024;

/** A small file system of its own; undefined where this user may not mount one. */
function smallDisk(bytes: number): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'comity-disk-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder]);
  if (status !== 0) return undefined;
  onTestFinished(() => void spawnSync('umount', [folder]));
  return folder;
}

test('a full disk stores nothing, loses nothing and heals', (context) => {
  const disk = smallDisk(24 * MB);
  if (disk === undefined) return context.skip('no file system can be mounted here');
  const path = join(disk, 'store');
  const ballast = join(disk, 'ballast');
  writeFileSync(ballast, new Uint8Array(12 * MB));
  const { store, stored, error } = fillUp(path);
  expect(error).toMatchObject({ code: 'unavailable', message: expect.stringMatching(/nothing was stored: .*full/) });
  expect(stored).toBeGreaterThan(20);
  expect(differs(store, stored)).toBeUndefined();
  // Time and again, and neither does a flush do harm.
  for (let i = 0; i < 3; i++) {
    expect(() => store.append(batchNumber(stored + 1))).toThrow(expect.objectContaining({ code: 'unavailable' }));
    expect(() => store.flush()).toThrow(expect.objectContaining({ code: 'unavailable' }));
    expect(differs(store, stored)).toBeUndefined();
  }
  rmSync(ballast);
  for (let n = stored + 1; n <= stored + 5; n++) expect(store.append(batchNumber(n)).stored).toBeGreaterThan(2_000);
  // The delivery that failed is known now, and not before.
  expect(store.append(batchNumber(stored + 1))).toMatchObject({ stored: 0 });
  store.flush();
  expect(differs(store, stored + 5)).toBeUndefined();
  store.close();
  const again = openFull(path);
  expect(differs(again, stored + 5)).toBeUndefined();
  again.close();
});

test('a file that may not grow any further is like a full disk', (context) => {
  const path = storePath();
  // The signal that comes with the limit would end the process; an error is what a store must live with.
  const script = 'trap "" XFSZ; ulimit -f "$1" && exec "$2" "$3" "$4"';
  const blocks = `${MB / 512}`;
  const child = spawnSync('sh', ['-c', script, 'sh', blocks, process.execPath, CHILD, path], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  if (/ulimit/.test(child.stderr)) return context.skip('the shell sets no limit of file sizes');
  expect(child.stderr).toBe('');
  const stored = Number(child.stdout);
  expect(stored).toBeGreaterThan(5);
  const store = openFull(path);
  expect(differs(store, stored)).toBeUndefined();
  store.append(batchNumber(stored + 1));
  store.flush();
  expect(differs(store, stored + 1)).toBeUndefined();
  store.close();
});
