import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openAuditLog } from '../../src/base/audit-log.ts';

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'comity-audit-'));
  path = join(dir, 'audit.jsonl');
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

/** All lines that there are, the oldest first. */
function lines(): unknown[] {
  const parts = readdirSync(dir).sort((a, b) => Number(b.split('.')[2] ?? 0) - Number(a.split('.')[2] ?? 0));
  const texts = parts.map((part) => readFileSync(join(dir, part), 'utf8'));
  return texts.flatMap((text) =>
    text
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as unknown),
  );
}

it('keeps what was written, for its own user alone', () => {
  for (const i of [0, 1]) {
    const log = openAuditLog(path, 1e6);
    log.write({ i, text: 'a\nb' });
    log.close();
  }
  expect(lines()).toEqual([0, 1].map((i) => ({ i, text: 'a\nb' })));
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

it('lets the oldest go, and takes no more room than it may', () => {
  const bytes = 8_000;
  const log = openAuditLog(path, bytes);
  for (let i = 0; i < 1_000; i++) {
    log.write({ i, text: 'x'.repeat(i % 50) });
    const held = readdirSync(dir).reduce((sum, part) => sum + statSync(join(dir, part)).size, 0);
    expect(held).toBeLessThanOrEqual(bytes);
  }
  log.close();
  const kept = lines().map((line) => (line as { i: number }).i);
  // All of the latest, without a gap.
  expect(kept.at(-1)).toBe(999);
  expect(kept).toEqual(Array.from({ length: kept.length }, (_none, k) => 1_000 - kept.length + k));
  expect(kept.length).toBeGreaterThan(100);
});

it('goes on after a torn line', () => {
  writeFileSync(path, '{"i":0}\n{"i":');
  const log = openAuditLog(path, 1e6);
  log.write({ i: 1 });
  log.close();
  expect(readFileSync(path, 'utf8')).toBe('{"i":0}\n{"i":\n{"i":1}\n');
});

it('says so when it cannot write', () => {
  const log = openAuditLog(path, 1e6);
  log.close();
  expect(() => log.write({})).toThrow(expect.objectContaining({ code: 'unavailable' }));
});

it.skipIf(!existsSync('/dev/full'))('says so when there is no room', () => {
  const log = openAuditLog('/dev/full', 1e6);
  for (let i = 0; i < 2; i++) expect(() => log.write({})).toThrow(/the audit log cannot be written: ENOSPC/);
  log.close();
});
