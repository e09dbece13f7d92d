import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UNTIL_STDIN_ENDS } from '../programs.ts';

/** A program of others that ends with the process of the test at the latest. */
export interface TiedProgram {
  /** The end of what it wrote to stderr. */
  log(): string;
  /** Ends it at once and removes its folder. */
  close(): Promise<void>;
}

/** Far more than a start on a busy machine takes. */
const READY_MS = 20_000;

/** Starts a program in a folder of its own and waits until `isReady`. `prepare` fills the folder and gives its arguments. */
export async function startTied(
  program: string,
  prepare: (dir: string) => Promise<readonly string[]>,
  isReady: () => Promise<boolean>,
): Promise<TiedProgram> {
  const dir = await mkdtemp(join(tmpdir(), 'comity-sender-'));
  const args = await prepare(dir);
  const child = spawn('sh', ['-c', UNTIL_STDIN_ENDS, 'sh', program, ...args], {
    env: { ...process.env, DIR: dir },
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let log = '';
  let hasEnded = false;
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-20_000)));
  // It may end before its stdin does.
  child.stdin.on('error', () => {});
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      hasEnded = true;
      resolve();
    });
  });
  const close = async () => {
    child.stdin.end();
    await ended;
    await rm(dir, { recursive: true, force: true });
  };
  const deadline = Date.now() + READY_MS;
  while (!(await isReady())) {
    if (hasEnded || Date.now() > deadline) {
      await close();
      const what = hasEnded ? 'ended at its start' : `is not ready after ${READY_MS / 1000} s`;
      throw new Error(`${program} ${what}; its log ends:\n${log}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { log: () => log, close };
}

/** Whether a request is answered 200. */
export async function answers(url: string, init: RequestInit = {}): Promise<boolean> {
  try {
    const response = await fetch(url, init);
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}
