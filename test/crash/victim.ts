import { randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts, startProgram, waitUntilReady, type Program } from '../../scripts/demo/processes.ts';
import type { FaultName } from './faults.ts';

/** An agent in a process of its own that can be killed and started again on the same data and ports. */
export interface Victim {
  /** Root of its receivers, without a slash at the end. */
  readonly ingestUrl: string;
  /** Root of its local query API. */
  readonly queryUrl: string;
  start(): void;
  ready(): Promise<void>;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Ends it in order and removes its data. */
  remove(): Promise<void>;
}

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const WITH_FAULT = fileURLToPath(new URL('agent-with-fault.ts', import.meta.url));

const POLICY = 'version: 1\ndomain: crash\nlabels: {permit: []}\n';

export async function makeVictim(fault: FaultName | undefined): Promise<Victim> {
  const dir = await mkdtemp(join(tmpdir(), 'comity-crash-'));
  const [ingest, grpc, query, federation] = (await freePorts(4)) as [number, number, number, number];
  const config = join(dir, 'agent.yaml');
  const logPath = join(dir, 'agent.log');
  await writeFile(join(dir, 'policy.yaml'), POLICY);
  await writeFile(
    config,
    [
      'domain: crash',
      'jurisdiction: TEST',
      'listen:',
      `  otlp: 127.0.0.1:${ingest}`,
      `  otlp_grpc: 127.0.0.1:${grpc}`,
      `  query: 127.0.0.1:${query}`,
      `  federation: 127.0.0.1:${federation}`,
      'store: store',
      // Faults are planted in the main thread alone.
      `shards: ${fault === undefined ? 2 : 0}`,
      'policy: policy.yaml',
      `token: ${randomBytes(16).toString('hex')}`,
    ].join('\n'),
  );
  const ingestUrl = `http://127.0.0.1:${ingest}`;
  let program: Program | undefined;

  return {
    ingestUrl,
    queryUrl: `http://127.0.0.1:${query}`,
    start() {
      const args = fault === undefined ? [MAIN, 'agent', '--config', config] : [WITH_FAULT, fault, config];
      program = startProgram({ name: 'the agent', args, logPath });
    },
    async ready() {
      if (program === undefined) throw new Error('start the agent first');
      await waitUntilReady(program, `${ingestUrl}/-/ready`, logPath);
    },
    async kill() {
      program?.process.kill('SIGKILL');
      await program?.exited;
    },
    async remove() {
      await program?.stop();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
