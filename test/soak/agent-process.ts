import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts, startProgram, waitUntilReady, type Program } from '../../scripts/demo/processes.ts';
import type { FaultName } from './faults.ts';

/** An agent in a process of its own that can be killed and started again on the same data and ports. */
export interface AgentProcess {
  /** Root of its receivers, without a slash at the end. */
  readonly ingestUrl: string;
  /** Root of its local query API. */
  readonly queryUrl: string;
  readonly store: string;
  /** Undefined while it is not running. */
  pid(): number | undefined;
  start(): void;
  /** Resolves when it serves; rejects when it ends before. */
  ready(): Promise<void>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Ends it in order. */
  stop(): Promise<void>;
  /** How it ended by itself, if it did. */
  ended(): string | undefined;
  /** What its log tells of damage, a line each. */
  problems(): Promise<readonly string[]>;
}

export interface AgentProcessOptions {
  /** Where its configuration and log are. */
  readonly folder: string;
  readonly store: string;
  readonly shards: number;
  readonly fault?: FaultName | undefined;
}

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const PLANT_FAULT = new URL('plant-fault.ts', import.meta.url);

const POLICY = 'version: 1\ndomain: soak\nlabels: {permit: []}\n';

export async function agentProcess({ folder, store, shards, fault }: AgentProcessOptions): Promise<AgentProcess> {
  await mkdir(folder, { recursive: true });
  const [ingest, grpc, query, federation] = (await freePorts(4)) as [number, number, number, number];
  const config = join(folder, 'agent.yaml');
  const logPath = join(folder, 'agent.log');
  await writeFile(join(folder, 'policy.yaml'), POLICY);
  await writeFile(
    config,
    [
      'domain: soak',
      'jurisdiction: TEST',
      'listen:',
      `  otlp: 127.0.0.1:${ingest}`,
      `  otlp_grpc: 127.0.0.1:${grpc}`,
      `  query: 127.0.0.1:${query}`,
      `  federation: 127.0.0.1:${federation}`,
      `store: ${store}`,
      `shards: ${shards}`,
      // What retention removed could hide what was lost.
      'retention: {time: 10y}',
      'policy: policy.yaml',
      `token: ${randomBytes(16).toString('hex')}`,
    ].join('\n'),
  );
  const planted = fault === undefined ? [] : ['--import', `${PLANT_FAULT.href}?${fault}`];
  const ingestUrl = `http://127.0.0.1:${ingest}`;
  let program: Program | undefined;
  let isKilled = false;

  return {
    ingestUrl,
    queryUrl: `http://127.0.0.1:${query}`,
    store,
    pid: () => (program === undefined || program.ended() !== undefined ? undefined : program.pid),
    start() {
      isKilled = false;
      program = startProgram({ name: 'the agent', args: [...planted, MAIN, 'agent', '--config', config], logPath });
    },
    async ready() {
      if (program === undefined) throw new Error('start the agent first');
      await waitUntilReady(program, `${ingestUrl}/-/ready`, logPath);
    },
    async kill() {
      isKilled = true;
      program?.process.kill('SIGKILL');
      await program?.exited;
    },
    async stop() {
      isKilled = true;
      await program?.stop();
    },
    ended: () => (isKilled ? undefined : program?.ended()),
    async problems() {
      const log = await readFile(logPath, 'utf8');
      return log.split('\n').filter((line) => /store problem|fault|cannot go on|could not be/.test(line));
    },
  };
}
