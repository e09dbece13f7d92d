import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startProgram, tailOf, type Program } from '../scripts/demo/processes.ts';

/** A server under load: a process of its own over a folder of its own, which a restart keeps. */
export interface Peer {
  readonly name: string;
  /** Of the process that runs now. */
  readonly pid: number;
  /** Root of its receivers, without a slash at the end. */
  readonly url: string;
  /** Root of its query API. */
  readonly queryUrl: string;
  /** Holds nothing but what it stores. */
  readonly dataDir: string;
  /** Ends it cleanly and waits for that. Throws when it does not heed SIGTERM. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again over its own data. Answers how many ms passed until it was ready. */
  start(): Promise<number>;
  /** Ends it and removes its data. */
  close(): Promise<void>;
}

/** Starts a peer, or undefined where its program is not at hand. */
export type StartPeer = () => Promise<Peer | undefined>;

export interface PeerCommand {
  /** This Node when left out. */
  readonly program?: string;
  readonly args: readonly string[];
}

export interface PeerOptions {
  readonly name: string;
  readonly url: string;
  /** The same as `url` when left out. */
  readonly queryUrl?: string;
  /** Answered 200 by a server that is ready; each is asked for in turn. */
  readonly readyUrls: readonly string[];
  /** Of the requests for those; GET when left out. */
  readonly readyInit?: RequestInit;
  /** Writes what the program reads into `dir`; what it stores goes into `dataDir`, which is there and empty. */
  prepare(dir: string, dataDir: string): Promise<PeerCommand>;
}

/** An empty server must be ready by then; a large store may take longer to be read, or to be closed, on a busy machine. */
const EMPTY_START_MS = 60_000;
const START_MS = 15 * 60_000;
const STOP_MS = 5 * 60_000;

const READY_LOOK_MS = 10;

/** What must not outlive this process, however it ends. */
const atWork = new Set<{ readonly dir: string; readonly program: Program | undefined }>();
process.on('exit', () => {
  for (const { dir, program } of atWork) {
    if (program?.ended() === undefined) program?.process.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  }
});

export async function startPeer({ name, readyInit = {}, ...options }: PeerOptions): Promise<Peer> {
  const dir = await mkdtemp(join(tmpdir(), 'comity-bench-'));
  const work: { readonly dir: string; program: Program | undefined } = { dir, program: undefined };
  atWork.add(work);
  const dataDir = join(dir, 'data');
  await mkdir(dataDir);
  const logPath = join(dir, 'log');
  const command = await options.prepare(dir, dataDir);

  const running = (): Program => {
    if (work.program === undefined) throw new Error(`${name} is not running`);
    return work.program;
  };
  const assertRunning = (): void => {
    const ended = running().ended();
    if (ended !== undefined) throw new Error(`${name} ended by itself (${ended})\n${tailOf(logPath)}`);
  };
  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    assertRunning();
    const program = running();
    program.process.kill(signal);
    const late = setTimeout(() => program.process.kill('SIGKILL'), STOP_MS);
    await program.exited;
    clearTimeout(late);
    work.program = undefined;
    if (signal === 'SIGTERM' && program.ended() === 'SIGKILL') {
      throw new Error(`${name} did not end within ${STOP_MS / 1_000} s of SIGTERM\n${tailOf(logPath)}`);
    }
  };

  const start = async (withinMs: number): Promise<number> => {
    const startedMs = performance.now();
    const program = startProgram({ name, logPath, ...command });
    work.program = program;
    for (const url of options.readyUrls) {
      while (!(await answersReady(url, readyInit))) {
        const ended = program.ended();
        if (ended !== undefined) throw new Error(`${name} ended at start (${ended})\n${tailOf(logPath)}`);
        if (performance.now() - startedMs > withinMs) {
          throw new Error(`${name} was not ready at ${url} within ${withinMs / 1_000} s\n${tailOf(logPath)}`);
        }
        await sleep(READY_LOOK_MS);
      }
    }
    return performance.now() - startedMs;
  };

  const peer: Peer = {
    name,
    get pid() {
      assertRunning();
      return running().pid;
    },
    url: options.url,
    queryUrl: options.queryUrl ?? options.url,
    dataDir,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    start: () => start(START_MS),
    async close() {
      if (work.program?.ended() === undefined && work.program !== undefined) await end('SIGKILL');
      await rm(dir, { recursive: true, force: true });
      atWork.delete(work);
    },
  };
  try {
    await start(EMPTY_START_MS);
    return peer;
  } catch (error) {
    await peer.close();
    throw error;
  }
}

async function answersReady(url: string, init: RequestInit): Promise<boolean> {
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(10_000) });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}
