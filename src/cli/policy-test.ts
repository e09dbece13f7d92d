import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { ComityError } from '../base/errors.ts';
import { isFolder } from './policy-files.ts';
import { runPolicyTest, type PolicyTestResult } from './policy-test-file.ts';

/** What the names of test files end with. */
const TEST_ENDING = '.policy-test.yaml';

/** `comity policy test DIR|FILE…`: whether policies let out what their tests say. */
export function policyTestCommand(): Command {
  return new Command('test')
    .description(
      'Run tests that lie beside policies: series and spans that a domain has, and for queries whether they are allowed, for ' +
        'redaction what is stored. They run on a store and a border in this process.',
    )
    .argument('<path...>', `files, or folders with *${TEST_ENDING} in them and in those below`)
    .option('--json', 'print JSON lines')
    .addHelpText('after', '\nExit status: 0 all passed, 1 some did not, or there is none.')
    .action(async (paths: readonly string[], { json }: { readonly json?: boolean }) => {
      const files = paths.flatMap((path) => testsAt(path, 0));
      if (files.length === 0) throw new ComityError('bad_data', `no *${TEST_ENDING} in ${paths.join(', ')}`);
      let passed = 0;
      let failed = 0;
      for (const file of files) {
        for (const result of await runPolicyTest(file)) {
          if (result.passed) passed++;
          else failed++;
          if (json === true) process.stdout.write(`${JSON.stringify(result)}\n`);
          else if (!result.passed) process.stdout.write(`${failureText(result)}\n`);
        }
      }
      if (json !== true) process.stdout.write(`${files.length} files: ${passed} passed, ${failed} failed\n`);
      if (failed > 0) process.exitCode = 1;
    });
}

/** Folders below this are nobody's policies. */
const DEPTH_MAX = 4;

function testsAt(path: string, depth: number): readonly string[] {
  if (!isFolder(path)) return [path];
  if (depth > DEPTH_MAX) return [];
  const entries = readdirSync(path, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    if (entry.isDirectory()) return testsAt(join(path, entry.name), depth + 1);
    return entry.name.endsWith(TEST_ENDING) ? [join(path, entry.name)] : [];
  });
}

function failureText({ file, name, expected, got }: PolicyTestResult): string {
  const lines = (text: string): string => text.split('\n').join('\n              ');
  return `${file}: ${name}\n    expected  ${lines(expected)}\n    got       ${lines(got)}`;
}
