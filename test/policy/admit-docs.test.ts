import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { redactCommand } from '../../src/cli/redact.ts';

const ROOT = join(import.meta.dirname, '../..');

/** Without --config each run has a key of its own. */
const masked = (text: string): string => text.replaceAll(/~[\w-]{22}/g, '~');

test('the example of the page on redaction prints what the page says', async () => {
  const page = await readFile(join(ROOT, 'docs/redaction.md'), 'utf8');
  const [, orders, output] = /^\$ cat orders\.txt\n(.*?)^\$ comity redact orders\.txt\n(.*?)^```$/ms.exec(page)!;
  const dir = await mkdtemp(join(tmpdir(), 'comity-redact-page-'));
  let out = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  try {
    await writeFile(join(dir, 'orders.txt'), orders!);
    await redactCommand().parseAsync([join(dir, 'orders.txt')], { from: 'user' });
  } finally {
    write.mockRestore();
    await rm(dir, { recursive: true, force: true });
  }
  expect(masked(out)).toBe(masked(output!));
});
