import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');

test('the example of the page on redaction prints what the page says', () => {
  const page = readFileSync(join(ROOT, 'docs/redaction.md'), 'utf8');
  const [, script, output] = /^\$ node_modules\/\.bin\/node --input-type=module -e "\n(.*?)"\n(.*?)^```$/ms.exec(page)!;
  expect(execFileSync(process.execPath, ['--input-type=module', '-e', script!], { cwd: ROOT, encoding: 'utf8' })).toBe(
    output,
  );
});
