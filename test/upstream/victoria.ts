import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isExecutable, outputOf, UNTIL_STDIN_ENDS } from '../programs.ts';

/** A running VictoriaMetrics. */
export interface Victoria {
  /** Root of its HTTP API, without a slash at the end. */
  readonly url: string;
  readonly remoteWriteUrl: string;
  /** Makes what was written visible to queries. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** Where .ci/run unpacks Debian's package. */
const UNPACKED = join(import.meta.dirname, '..', '..', '.cache', 'victoria-metrics', 'usr', 'bin', 'victoria-metrics');

/**
 * The path of a VictoriaMetrics: `COMITY_VICTORIA`, else what .ci/run unpacked, else one on the PATH (Debian's package is
 * victoria-metrics). Undefined where there is none, so that tests can say *skipped*.
 */
export async function findVictoria(): Promise<string | undefined> {
  const named = process.env['COMITY_VICTORIA'];
  if (named !== undefined && named !== '') {
    if (await isExecutable(named)) return named;
    throw new Error(`COMITY_VICTORIA names ${named}, which is no program that can be run`);
  }
  if (await isExecutable(UNPACKED)) return UNPACKED;
  return (await outputOf('victoria-metrics', '--version')) === undefined ? undefined : 'victoria-metrics';
}

const START_MS = 30_000;

/** Starts an empty VictoriaMetrics on a free port of the loopback interface. */
export async function startVictoria(): Promise<Victoria> {
  const program = await findVictoria();
  if (program === undefined) throw new Error('no VictoriaMetrics here; ask findVictoria first and skip the test');
  const dir = await mkdtemp(join(tmpdir(), 'comity-victoria-'));
  const address = `127.0.0.1:${await freePort()}`;
  const url = `http://${address}`;
  const command = [
    program,
    `-storageDataPath=${join(dir, 'data')}`,
    `-httpListenAddr=${address}`,
    '-retentionPeriod=100y',
    '-memory.allowedBytes=256MB',
  ];
  const child = spawn('sh', ['-c', UNTIL_STDIN_ENDS, 'sh', ...command], {
    env: { ...process.env, DIR: dir },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  const close = async (): Promise<void> => {
    await end(child);
    await rm(dir, { recursive: true, force: true });
  };
  try {
    await untilHealthy(url, child);
    // A test file that forgets to close must still be able to end.
    if (child.stdin instanceof Socket) child.stdin.unref();
    child.unref();
    const flush = async (): Promise<void> => {
      await (await fetch(`${url}/internal/force_flush`)).text();
    };
    return { url, remoteWriteUrl: `${url}/api/v1/write`, flush, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.ref();
  const ended = once(child, 'exit');
  child.stdin?.end();
  await ended;
}

/** It cannot be asked to take any port and say which. */
async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port to listen on');
  return address.port;
}

async function untilHealthy(url: string, child: ChildProcess): Promise<void> {
  for (const deadline = Date.now() + START_MS; Date.now() < deadline; await sleep(20)) {
    if (child.exitCode !== null) throw new Error(`VictoriaMetrics ended with code ${child.exitCode}`);
    const status = await fetch(`${url}/health`).then(
      (response) => response.status,
      () => 0,
    );
    if (status === 200) return;
  }
  throw new Error('VictoriaMetrics did not start');
}
