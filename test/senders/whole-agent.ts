import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { startAgent, type Agent } from '../../src/agent/agent.ts';
import type { AgentConfig } from '../../src/agent/config.ts';

/** An agent of this process with all its ports open, and its store in a folder of its own. */
export interface WholeAgent {
  readonly agent: Agent;
  /** Root of its local query API, without a slash at the end. */
  readonly queryUrl: string;
  /** What it refused, replaced by pseudonyms or warned of since its start: each metric or log line as a text. */
  complaints(): Promise<string[]>;
  /** Closes it and opens it again on the same store, at other ports. */
  restart(): Promise<void>;
  /** Closes it and removes its data. */
  close(): Promise<void>;
}

export async function startWholeAgent(options: Partial<AgentConfig> = {}): Promise<WholeAgent> {
  const dir = await mkdtemp(join(tmpdir(), 'comity-whole-'));
  const warnings: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line: string) => void warnings.push(line) });
  const policy = join(dir, 'policy.yaml');
  await writeFile(policy, 'version: 1\ndomain: eu\nlabels: {permit: []}\n');
  const free = '127.0.0.1:0';
  const start = () =>
    startAgent(
      {
        domain: 'eu',
        jurisdiction: 'TEST',
        listen: { otlp: free, otlpGrpc: { address: free, isDefault: false }, query: free, federation: free },
        store: join(dir, 'eu.sqlite'),
        policy,
        token: 'a token of this test alone',
        shards: 0,
        ...options,
      },
      log,
    );
  let agent = await start();
  return {
    get agent() {
      return agent;
    },
    get queryUrl() {
      return agent.queryUrl!;
    },
    async complaints() {
      const metrics = await (await fetch(`${agent.otlpUrl}/metrics`)).text();
      return [...metrics.split('\n').filter(isComplaint), ...warnings];
    },
    async restart() {
      await agent.close();
      agent = await start();
    },
    async close() {
      await agent.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** A line of the agent's metrics that counts something other than success. */
function isComplaint(line: string): boolean {
  if (line.endsWith(' 0')) return false;
  if (/^comity_(agent_rejected|ingest_memory_refusals)_total/.test(line)) return true;
  if (line.startsWith('comity_agent_requests_total')) return !/status="(2\d\d|OK)"/.test(line);
  return line.startsWith('comity_admission_total') && !line.includes('action="kept"');
}
