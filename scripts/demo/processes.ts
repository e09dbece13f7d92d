import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProgramOptions {
  /** Name in messages: `agent eu-west`. */
  readonly name: string;
  /** The program; this Node when left out. */
  readonly program?: string;
  /** Its arguments; for this Node a script and the script's own. */
  readonly args: readonly string[];
  /** Standard output and error are appended here. */
  readonly logPath: string;
  /** Opens an IPC channel. Without it the program is tied to this process by its standard input. */
  readonly ipc?: true;
}

/** A child process of the demo. */
export interface Program {
  readonly name: string;
  readonly pid: number;
  readonly process: ChildProcess;
  /** How it ended (`exit code 1`, `SIGKILL`), undefined while it runs. */
  ended(): string | undefined;
  /** Settles when it has ended. */
  readonly exited: Promise<void>;
  /** SIGTERM, and SIGKILL when that is not heeded in time. */
  stop(): Promise<void>;
}

/** A program may take this long to close its store after SIGTERM. */
const STOP_MS = 5_000;

/** A program must answer that it is ready within this time; a cold machine needs a few seconds. */
const READY_MS = 30_000;

/** Lines of a dead program's log that are shown. */
const TAIL_LINES = 15;

/**
 * Starts a program on this Node in a process group of its own, so that Ctrl-C in the terminal reaches the demo alone,
 * which then stops its programs in order. Should the demo be killed outright, the pipe to the program's standard input
 * (or the IPC channel) closes and the program ends by itself.
 */
export function startProgram(options: ProgramOptions): Program {
  const log = openSync(options.logPath, 'a', 0o600);
  const { program = process.execPath } = options;
  const child = spawn(program, options.args, {
    stdio: options.ipc ? ['ignore', log, log, 'ipc'] : ['pipe', log, log],
    env: { ...process.env, COMITY_EXIT_WITH_PARENT: '1' },
    detached: true,
  });
  closeSync(log);
  let ended: string | undefined;
  const exited = new Promise<void>((resolve) => {
    child.once('error', (error) => {
      ended = error.message;
      resolve();
    });
    child.once('exit', (code, signal) => {
      ended = signal ?? `exit code ${code ?? 'unknown'}`;
      resolve();
    });
  });
  // A program that dies takes its end of the pipe with it; that is reported as its exit, not as a broken pipe.
  child.stdin?.on('error', () => undefined);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${options.name} could not be started with ${program}`);
  return {
    name: options.name,
    pid,
    process: child,
    ended: () => ended,
    exited,
    async stop() {
      if (ended !== undefined) return;
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await exited;
      clearTimeout(late);
    },
  };
}

/**
 * Waits until a request (GET, unless `init` says otherwise) is answered 200; throws with the end of the program's log when
 * it dies or takes too long.
 */
export async function waitUntilReady(
  program: Program,
  url: string,
  logPath: string,
  init: RequestInit = {},
): Promise<void> {
  const deadlineMs = performance.now() + READY_MS;
  for (;;) {
    const ended = program.ended();
    if (ended !== undefined) throw new Error(`${program.name} ended at start (${ended})\n${tailOf(logPath)}`);
    if (await answersReady(url, init)) return;
    if (performance.now() > deadlineMs) {
      throw new Error(`${program.name} was not ready at ${url} within ${READY_MS / 1_000} s\n${tailOf(logPath)}`);
    }
    await sleep(50);
  }
}

/** The last lines of a log, indented; says so when there are none. */
export function tailOf(logPath: string): string {
  const lines = readFileSync(logPath, 'utf8').trimEnd().split('\n').slice(-TAIL_LINES);
  const text = lines.map((line) => `    ${line.slice(0, 400)}`).join('\n');
  return text.trim() === '' ? `    (${logPath} is empty)` : `  the end of ${logPath}:\n${text}`;
}

/** Free loopback ports, all different: each is listened on until all are known. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(0, '127.0.0.1', resolve);
      });
      return server;
    }),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the system gave no TCP port');
    return address.port;
  });
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

async function answersReady(url: string, init: RequestInit): Promise<boolean> {
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(1_000) });
    await response.arrayBuffer();
    return response.status === 200;
  } catch {
    return false;
  }
}
