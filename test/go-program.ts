import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isExecutable, outputOf } from './programs.ts';

/** A program of others that tests run beside ours, and how Go makes it. */
export interface GoProgram {
  /** In messages, with its version, and in the name of its file. */
  readonly name: string;
  /** The folder of its go.mod and go.sum, which fix every version. */
  readonly folder: string;
  /** Arguments of `go build`; the last one is the package. */
  readonly build: readonly string[];
  /** What else helps when it cannot be built. */
  readonly instead: string;
}

const CACHE = join(import.meta.dirname, '..', '.cache', 'go');

/**
 * Builds a program into the cache, unless it is there already; several processes may ask at once. Undefined without Go.
 * Throws with Go's last words when the build fails.
 */
export async function builtWithGo(program: GoProgram): Promise<string | undefined> {
  if ((await outputOf('go', 'version')) === undefined) return undefined;
  const key = createHash('sha256')
    .update(await readFile(join(program.folder, 'go.sum')))
    .update(program.build.join(' '))
    .digest('hex');
  const file = program.name.toLowerCase().replaceAll(/[^a-z0-9.]+/g, '-');
  const path = join(CACHE, `${file}-${process.platform}-${process.arch}-${key.slice(0, 16)}`);
  if (await isExecutable(path)) return path;
  await mkdir(CACHE, { recursive: true });
  const lock = `${path}.lock`;
  while (!(await takeLock(lock))) {
    await sleep(500);
    if (await isExecutable(path)) return path;
  }
  try {
    // It may have been finished between the look and the lock.
    if (!(await isExecutable(path))) await build(program, path);
    return path;
  } finally {
    await rm(lock, { force: true });
  }
}

async function build({ name, folder, build: args, instead }: GoProgram, path: string): Promise<void> {
  const startedMs = Date.now();
  process.stderr.write(`comity: building ${name}, some minutes the first time …\n`);
  const part = `${path}.${process.pid}.part`;
  const go = spawn('go', ['build', '-o', part, ...args], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  // Go names each of the hundreds of modules that it downloads; only the end of that matters, and only on failure.
  let log = '';
  go.stderr.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-4000)));
  const [code] = await once(go, 'close');
  if (code !== 0) {
    await rm(part, { force: true });
    throw new Error(
      `go build of ${name} ended with code ${code}. It needs Go 1.26 (older ones fetch it) and the Go module proxy; ` +
        `${instead}. Go's last words:\n${log}`,
    );
  }
  await rename(part, path);
  process.stderr.write(`comity: built it in ${((Date.now() - startedMs) / 1000).toFixed(0)} s\n`);
}

/** Creates the lock file, or removes one whose process is gone. Says whether the lock is ours. */
async function takeLock(path: string): Promise<boolean> {
  try {
    await writeFile(path, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
  const owner = Number(await readFile(path, 'utf8').catch(() => ''));
  if (owner > 0 && !isRunning(owner)) await rm(path, { force: true });
  return false;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}
