import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { MUTANT_NAMES, type MutantName } from '../../src/federationtest/mutants.ts';
import { someOf } from '../planted.ts';

const ROOT = process.cwd();
const SCRIPT = join(ROOT, 'fixtures', 'promql', 'faults.test');

/** `planted`: starts the program that has the fault, which the command starts by itself otherwise. */
async function run(
  args: readonly string[],
  planted?: MutantName,
): Promise<{ readonly status: number | null; readonly lines: Line[] }> {
  const entry = planted === undefined ? 'src/cli/main.ts' : 'src/cli/promql-test-planted.ts';
  const child = spawn(process.execPath, [join(ROOT, entry), 'promql', 'test', SCRIPT, ...args], {
    env: planted === undefined ? process.env : { ...process.env, COMITY_PROMQLTEST_PLANTED: planted },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  expect(stderr).toBe('');
  const lines = stdout.split('\n').filter((line) => line !== '');
  return { status, lines: lines.map((line) => JSON.parse(line) as Line) };
}

interface Line {
  readonly type: string;
  readonly wrong?: number;
  readonly query?: string;
}

/** For each fault a query of the script that shows it, by how it begins. */
const SHOWN_BY: Readonly<Record<MutantName, string>> = {
  'filter-before-merge': 'count by (job) (share) >= 5',
  'absent-as-or': 'absent(share{zone="f"})',
  'no-compensation': 'sum(torn)',
  'silent-as-empty': 'avg by (job) (share)',
  'avg-of-averages': 'avg by (job) (share)',
  'notes-lost': 'sum(increase(quota[2m]))',
  'hints-lost': 'increase(heat[2m])',
  'names-kept': 'increase(share{zone="c"}[2m])',
  'topk-local-k': 'sum(topk(1, share))',
  'match-in-domains': 'sum(share and on (job) quota)',
  'group-in-domains': 'count(count by (job) (share))',
};

describe.concurrent('faults in the sources come out as wrong answers', () => {
  test.each(someOf(MUTANT_NAMES))('%s', { timeout: 120_000 }, async (name) => {
    const { status, lines } = await run(
      ['--json', '--domains', '3', '--mutant', name],
      name === MUTANT_NAMES[0] ? undefined : name,
    );
    expect(status).toBe(1);
    expect(lines.at(-1)).toMatchObject({ type: 'summary', errors: 0, mutant: name });
    expect(lines.at(-1)!.wrong).toBeGreaterThan(0);
    const wrong = lines.filter(({ type }) => type === 'wrong').map(({ query }) => query);
    expect(wrong).toContain(SHOWN_BY[name]);
  });

  test('without one nothing is wrong', { timeout: 120_000 }, async () => {
    for (const kill of ['0', '1']) {
      const { status, lines } = await run(['--json', '--domains', '3', '--shards', '0', '--kill', kill]);
      expect({ status, wrong: lines.at(-1)!.wrong }).toEqual({ status: 0, wrong: 0 });
    }
  });
});
