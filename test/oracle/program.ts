import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { access, constants, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

/** The oldest version whose answers are ours too: 3.x has left-open ranges, and functions came up to 3.15. */
const OLDEST = { major: 3, minor: 15 };

/** What go.mod requires, as its `--version` shall say; a plain `go build` leaves the number out. */
const VERSION_FLAG = '-X github.com/prometheus/common/version.Version=3.15.0';
const PACKAGE = 'github.com/prometheus/prometheus/cmd/prometheus';

const HERE = import.meta.dirname;
const CACHE = join(HERE, '..', '..', '.cache', 'oracle');

let found: Promise<string | undefined> | undefined;

/** The path of a fitting Prometheus, built first where only Go is at hand. Looked up once in a process. */
export function findProgram(): Promise<string | undefined> {
  found ??= lookUp();
  return found;
}

async function lookUp(): Promise<string | undefined> {
  const named = process.env['COMITY_ORACLE'];
  if (named !== undefined && named !== '') {
    if (await isExecutable(named)) return named;
    throw new Error(`COMITY_ORACLE names ${named}, which is no program that can be run`);
  }
  if (isNewEnough(await outputOf('prometheus', '--version'))) return 'prometheus';
  if ((await outputOf('go', 'version')) === undefined) return undefined;
  return built();
}

/** Whether the text of `prometheus --version` names a version that serves as the reference. */
export function isNewEnough(text: string | undefined): boolean {
  const match = /^prometheus, version (\d+)\.(\d+)\./m.exec(text ?? '');
  if (match === null) return false;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor);
}

/** What the program writes to stdout and stderr, or undefined when there is none or it fails. */
async function outputOf(program: string, argument: string): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await promisify(execFile)(program, [argument]);
    return stdout + stderr;
  } catch {
    return undefined;
  }
}

/** Builds the program with Go into the cache, unless it is there already; several processes may ask at once. */
async function built(): Promise<string> {
  const key = createHash('sha256')
    .update(await readFile(join(HERE, 'go.sum')))
    .update(VERSION_FLAG)
    .digest('hex');
  const program = join(CACHE, `prometheus-${process.platform}-${process.arch}-${key.slice(0, 16)}`);
  if (await isExecutable(program)) return program;
  await mkdir(CACHE, { recursive: true });
  const lock = `${program}.lock`;
  while (!(await takeLock(lock))) {
    await sleep(500);
    if (await isExecutable(program)) return program;
  }
  try {
    // It may have been finished between the look and the lock.
    if (!(await isExecutable(program))) await build(program);
    return program;
  } finally {
    await rm(lock, { force: true });
  }
}

async function build(program: string): Promise<void> {
  const startedMs = Date.now();
  process.stderr.write('comity: building Prometheus 3.15 to compare with, about three minutes the first time …\n');
  const part = `${program}.${process.pid}.part`;
  // Service discovery is most of the program's size, and nothing is scraped.
  const args = ['build', '-tags', 'remove_all_sd', '-ldflags', `-s -w ${VERSION_FLAG}`, '-o', part, PACKAGE];
  const go = spawn('go', args, { cwd: HERE, stdio: ['ignore', 'ignore', 'pipe'] });
  // Go names each of the hundreds of modules that it downloads; only the end of that matters, and only on failure.
  let log = '';
  go.stderr.setEncoding('utf8').on('data', (text: string) => (log = (log + text).slice(-4000)));
  const [code] = await once(go, 'close');
  if (code !== 0) {
    await rm(part, { force: true });
    throw new Error(
      `go build of ${PACKAGE} ended with code ${code}. It needs Go 1.26 (older ones fetch it) and the Go module proxy; ` +
        `without them name a Prometheus 3.15 in COMITY_ORACLE. Go's last words:\n${log}`,
    );
  }
  await rename(part, program);
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

async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}
