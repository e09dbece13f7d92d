import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UNTIL_STDIN_ENDS } from '../programs.ts';
import { findProgram } from './program.ts';

/** A running Prometheus that answers are compared with. */
export interface Oracle {
  /** Root of its HTTP API, without a slash at the end. */
  readonly url: string;
  readonly remoteWriteUrl: string;
  /** Ends the program and removes its data. */
  close(): Promise<void>;
}

/**
 * The path of a Prometheus 3.15 or newer: `COMITY_ORACLE`, else one on the PATH, else one built with Go (once, about
 * three minutes). Undefined where there is none, so that tests can say *skipped*; with `CI=true` that is an error,
 * because a pipeline that compares nothing must not look green.
 */
export async function findOracle(): Promise<string | undefined> {
  const program = await findProgram();
  if (program === undefined && process.env['CI'] === 'true') {
    throw new Error(
      'no Prometheus 3.15 to compare with, and CI=true does not allow skipping: put Go 1.26 (go.dev) on the PATH, ' +
        'or a prometheus 3.15, or name one in COMITY_ORACLE',
    );
  }
  return program;
}

/** Far more than a start on a busy machine takes; a program that is not ready by then will not be. */
const START_MS = 60_000;

/** Samples of any age are kept, and may come in any order: tests write the past. Nothing is scraped. */
const CONFIG = 'storage: { tsdb: { out_of_order_time_window: 50y } }\n';

/**
 * Starts an empty Prometheus on a free port of the loopback interface. `args` are added to its command line, `config` to its
 * configuration.
 */
export async function startOracle(
  options: { readonly args?: readonly string[]; readonly config?: string } = {},
): Promise<Oracle> {
  const program = await findOracle();
  if (program === undefined) throw new Error('no Prometheus 3.15 here; ask findOracle first and skip the test');
  const dir = await mkdtemp(join(tmpdir(), 'comity-oracle-'));
  await writeFile(join(dir, 'prometheus.yml'), CONFIG + (options.config ?? ''));
  const command = [
    program,
    `--config.file=${join(dir, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(dir, 'data')}`,
    '--storage.tsdb.retention.time=100y',
    '--web.listen-address=127.0.0.1:0',
    '--web.enable-remote-write-receiver',
    '--log.format=json',
    ...(options.args ?? []),
  ];
  const child = spawn('sh', ['-c', UNTIL_STDIN_ENDS, 'sh', ...command], {
    env: { ...process.env, DIR: dir },
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  const close = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      // It was let go of after its start; now its end is waited for.
      child.ref();
      const ended = once(child, 'exit');
      child.stdin.end();
      await ended;
    }
    await rm(dir, { recursive: true, force: true });
  };
  try {
    const url = `http://${await listenAddress(child)}`;
    await untilReady(url);
    // A test file that forgets to close must still be able to end.
    for (const handle of [child.stdin, child.stderr]) if (handle instanceof Socket) handle.unref();
    child.unref();
    return { url, remoteWriteUrl: `${url}/api/v1/write`, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The address that the program says it listens on in its log; listening on port 0 leaves no race for a free one. */
function listenAddress(child: ChildProcess): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let log = '';
  const fail = (what: string) => reject(new Error(`the oracle ${what}; its log ends:\n${log.slice(-4000)}`));
  const timer = setTimeout(() => fail(`did not listen within ${START_MS / 1000} s`), START_MS);
  child.once('error', (error) => fail(`did not start: ${error.message}`));
  child.once('exit', (code) => fail(`ended with code ${code} before it listened`));
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    // Kept short, and read to the end: a full pipe would stop the program.
    log = (log + text).slice(-100_000);
    const address = /"msg":"Listening on".*?"address":"([^"]+)"/.exec(log)?.[1];
    if (address !== undefined) resolve(address);
  });
  return promise.finally(() => clearTimeout(timer));
}

async function untilReady(url: string): Promise<void> {
  const deadline = Date.now() + START_MS;
  for (;;) {
    const status = await fetch(`${url}/-/ready`).then(
      (response) => response.status,
      (error: unknown) => String(error),
    );
    if (status === 200) return;
    if (Date.now() > deadline) throw new Error(`the oracle at ${url} is not ready after a minute: ${status}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
