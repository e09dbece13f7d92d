import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const RUN = join(import.meta.dirname, '..', '..', 'scripts', 'run.mjs');

let dir: string;

beforeAll(() => {
  dir = join(mkdtempSync(join(tmpdir(), 'comity-run-')), 'a folder with spaces');
  mkdirSync(dir);
});

afterAll(() => rmSync(join(dir, '..'), { recursive: true, force: true }));

function program(source: string): string {
  const path = join(dir, 'program.ts');
  writeFileSync(path, source);
  return path;
}

/** Starts the program as a user would, from a folder that is not the project's. */
function run(source: string, ...args: string[]) {
  const child = spawn(process.execPath, [RUN, program(source), ...args], {
    cwd: dir,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return { child, stdout: text(child.stdout), stderr: text(child.stderr), exit: once(child, 'exit') };
}

test('the program gets its arguments, runs on Node 24 in the folder of the caller, and owns stdout', async () => {
  const source = `
    const [major]: readonly string[] = process.versions.node.split('.');
    console.log(JSON.stringify({ major, args: process.argv.slice(2), cwd: process.cwd() }));`;
  const { stdout, stderr } = run(source, '--json', 'two words', '');
  expect(JSON.parse(await stdout)).toEqual({ major: '24', args: ['--json', 'two words', ''], cwd: dir });
  expect(await stderr).toBe('');
});

describe('ends as the program ended', () => {
  test.each<[string, string, number]>([
    ['with success', '', 0],
    ['with a code', 'process.exit(7)', 7],
    ['by a signal', "process.kill(process.pid, 'SIGKILL'); setInterval(() => {}, 1000)", 128 + 9],
  ])('%s', async (_, source, want) => {
    const { exit } = run(source);
    expect(await exit).toEqual([want, null]);
  });
});

describe('hands on', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('%s, once', async (signal) => {
    const source = `
      let count = 0;
      process.on('${signal}', () => {
        count++;
        setTimeout(() => { console.log('count', count); process.exit(3); }, 100);
      });
      setInterval(() => {}, 1000);
      console.log('ready');`;
    const { child, stdout, exit } = run(source);
    await once(child.stdout, 'data');
    child.kill(signal);
    expect(await exit).toEqual([3, null]);
    expect(await stdout).toBe('ready\ncount 1\n');
  });
});

test('without a program it says how it is called', async () => {
  const child = spawn(process.execPath, [RUN], { stdio: ['ignore', 'ignore', 'pipe'] });
  expect(await text(child.stderr)).toMatch(/^usage: /);
});
