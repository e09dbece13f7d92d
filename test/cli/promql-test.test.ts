import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'comity-cli-promql-'));
});
afterAll(() => rmSync(dir, { recursive: true }));

const GOOD =
  'load 1m\n  a{b="c"} 1 2 3\n\neval instant at 2m sum(a)\n  {} 3\n\neval range from 0 to 2m step 1m a\n  a{b="c"} 1 2 3\n';
const BAD =
  'load 1m\n  a{b="c"} 1 2 3\n\neval instant at 2m sum(a)\n  {} 3\n\neval instant at 1m rate(a[5m])\n  {b="c"} 7\n';

async function run(args: readonly string[], scripts: Readonly<Record<string, string>>) {
  for (const [name, text] of Object.entries(scripts)) writeFileSync(join(dir, name), text);
  // Its temporary folders go below this test's own, where what is left over would show.
  const temporary = mkdtempSync(join(dir, 'tmp-'));
  const child = spawn(process.execPath, [join(process.cwd(), 'src/cli/main.ts'), 'promql', 'test', ...args], {
    cwd: dir,
    env: { ...process.env, TMPDIR: temporary },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const status = await new Promise<number | null>((resolve) => child.on('close', resolve));
  expect(readdirSync(temporary)).toEqual([]);
  return { status, stdout, stderr };
}

test.each(['0', '1'])('scripts that pass are summed up (--shards %s)', async (shards) => {
  const { status, stdout, stderr } = await run(['good.test', 'good.test', '--shards', shards], { 'good.test': GOOD });
  expect(stdout).toMatch(/^4 evaluations in 2 scripts: 4 passed, 0 failed \([\d.]+ s\)\n$/);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
});

test('a failure is told with its place, the query, and what was expected', async () => {
  const { status, stdout } = await run(['bad.test'], { 'bad.test': BAD });
  expect(stdout.split('\n')).toEqual([
    'bad.test:7: another value',
    '  rate(a[5m])',
    '  at 1m',
    '  expected',
    '    {b="c"} 7',
    '  got',
    '    {b="c"} 0.005',
    '',
    expect.stringMatching(/^2 evaluations in 1 scripts: 1 passed, 1 failed \([\d.]+ s\)$/),
    '',
  ]);
  expect(status).toBe(1);
});

test('what a message says of a place in the query is shown there', async () => {
  const script = 'load 1m\n  a 1 2\n\neval instant at 1m 1 + rate(a[5m])\n  expect no_info\n  {} 1\n';
  const { stdout } = await run(['info.test'], { 'info.test': script });
  expect(stdout).toContain('info.test:4: an unexpected info\n  1 + rate(a[5m])\n           ^\n  at 1m\n');
});

test('a query that does not parse fails alone; a script that does not parse is an error of its own', async () => {
  const { status, stdout } = await run(['broken.test', 'missing.test', 'query.test'], {
    'broken.test': 'load 5m\n  a{b=c} 1\n',
    'query.test': 'eval instant at 0 sum(1)\n\neval instant at 0 1\n  1\n',
  });
  expect(stdout).toContain(
    'broken.test:2:7: unexpected "c} 1", expected a quoted label value\n    a{b=c} 1\n        ^\n',
  );
  expect(stdout).toContain('missing.test: cannot read missing.test: ');
  expect(stdout).toContain('query.test:1: the query does not parse: parse error: ');
  expect(stdout).toContain('\n  eval instant at 0 sum(1)\n                        ^\n');
  expect(stdout).toMatch(/2 evaluations in 3 scripts: 1 passed, 1 failed, 2 scripts in error/);
  expect(status).toBe(1);
});

test('the same as JSON lines', async () => {
  const { status, stdout } = await run(['good.test', 'bad.test', 'broken.test', '--json'], {
    'good.test': GOOD,
    'bad.test': BAD,
    'broken.test': 'clera',
  });
  expect(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual([
    {
      type: 'failure',
      file: 'bad.test',
      line: 7,
      query: 'rate(a[5m])',
      mode: 'at 1m',
      problem: 'another value',
      expected: '{b="c"} 7',
      got: '{b="c"} 0.005',
    },
    {
      type: 'error',
      file: 'broken.test',
      line: 1,
      column: 1,
      problem: 'unknown command "clera"; there are load, clear and eval',
      rendering: 'clera\n^',
    },
    { type: 'summary', files: 3, evaluations: 4, passed: 3, failed: 1, errors: 1, seconds: expect.any(Number) },
  ]);
  expect(status).toBe(1);
});

test('features are turned on and off by name', async () => {
  const scripts = {
    'names.test':
      'load 1m\n  a 1 2\n\neval instant at 1m label_replace(a + 1, "was", "$1", "__name__", "(.*)")\n  {was="a"} 3\n',
    'experimental.test': 'eval instant at 0 max_of(1, 2)\n  2\n',
  };
  const files = Object.keys(scripts);
  expect((await run(files, scripts)).stdout).toContain('2 evaluations in 2 scripts: 2 passed, 0 failed');
  const off = 'promql-delayed-name-removal,promql-experimental-functions';
  const without = await run([...files, '--disable-feature', off], {});
  expect(without.stdout).toContain('names.test:4: an unexpected series\n');
  expect(without.stdout).toContain('experimental.test:1: the query does not parse: ');
  expect(await run([...files, '--enable-feature', 'nonsense'], {})).toMatchObject({
    status: 1,
    stdout: '',
    stderr: expect.stringContaining('there is no feature "nonsense"'),
  });
});

test('a number of shards that is none is refused', async () => {
  const { status, stderr } = await run(['good.test', '--shards', 'two'], {});
  expect(stderr).toContain('--shards must be a number from 0 to 64, not "two"');
  expect(status).toBe(1);
});
