import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { MUTANTS } from './mutants.ts';

const MAIN = fileURLToPath(new URL('laws-main.ts', import.meta.url));
const SEED = 1;

/** Cases within which each shows with this seed, several times over. */
const CASES = 300;

test.for(Object.keys(MUTANTS))('some law finds the mutant %s', { timeout: 60_000 }, async (name) => {
  const { code, log } = await run(name);
  expect(code, log).toBe(1);
  expect(log).toContain(`, seed ${SEED}, case `);
});

function run(name: string): Promise<{ code: number | string | null | undefined; log: string }> {
  return new Promise((resolve) => {
    const args = [MAIN, name, String(SEED), String(CASES)];
    execFile(process.execPath, args, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, log: stdout + stderr }),
    );
  });
}
