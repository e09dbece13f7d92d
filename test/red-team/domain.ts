import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Arena, HonestHub, HubLink, OtherAgent, OtherArena } from './arena.ts';
import { canaries, type Canaries } from './canaries.ts';
import { crossings } from './crossings.ts';
import { hostileHub } from './hostile-hub.ts';
import { deliver, SAMPLE_MS, WORLD_POLICY, worldDeliveries, type Delivery, type Receivers } from './world-data.ts';

/** An agent that runs somewhere. */
export interface RunningAgent {
  readonly receivers: Receivers;
  /** Where people of the domain ask it. */
  readonly queryUrl: string | undefined;
  readonly federationUrl: string;
  log(): string;
  close(): Promise<void>;
}

/** How agents and hubs are started from their configuration files. */
export interface AgentPrograms {
  /** Whether what they do can be looked at from inside. */
  readonly isOfThisProcess: boolean;
  startAgent(configPath: string): Promise<RunningAgent>;
  startHub(configPath: string): Promise<{ readonly url: string; log(): string; close(): Promise<void> }>;
  /** A free port, or 0 where programs find one by themselves and say which. */
  port?(): Promise<number>;
}

/** A domain full of canaries. */
export interface OpenArena extends Arena {
  readonly agentRunning: RunningAgent;
  readonly dir: string;
  close(): Promise<void>;
}

export interface ArenaOptions {
  /** Canaries of two worlds have nothing in common. */
  readonly world?: number;
  /** Of the last samples, for worlds that are to be the same but for their canaries. */
  readonly endMs?: number;
  /** How agents that single attempts ask for are started, if not as the domain's own. */
  readonly others?: AgentPrograms | undefined;
  /** YAML at the end of the agent's file. */
  config?(words: Canaries): Promise<string>;
  /** Where a hub reaches the agent, if not at its own address. */
  reachedAt?(agentUrl: string): Promise<string>;
}

/** Starts an agent with its own store and policy, and tells it all that the world has to tell. */
export async function openArena(programs: AgentPrograms, options: ArenaOptions = {}): Promise<OpenArena> {
  const words = canaries(options.world);
  const endMs = options.endMs ?? lastTime(Date.now());
  const sent = worldDeliveries(words, endMs);
  const dir = await mkdtemp(join(FOLDER, 'comity-red-team-'));
  const seen = crossings(words);
  const stops: (() => Promise<void>)[] = [() => rm(dir, { recursive: true, force: true })];
  let agents = 0;

  async function startOne(more: OtherAgent, deliveries: readonly Delivery[], by: AgentPrograms) {
    const own = more.dir ?? join(dir, `agent-${agents++}`);
    const token = randomBytes(16).toString('hex');
    const config = await writeAgent(own, token, more, by);
    const running = await by.startAgent(config);
    try {
      if (more.dir === undefined) await deliver(deliveries, running.receivers);
    } catch (error) {
      await running.close();
      throw error;
    }
    const url = (await options.reachedAt?.(running.federationUrl)) ?? running.federationUrl;
    return { running, dir: own, hub: hostileHub(url, token, seen), token };
  }

  async function close(): Promise<void> {
    for (const stop of stops.splice(0).reverse()) await stop();
  }

  try {
    const first = await startOne({ config: (await options.config?.(words)) ?? '' }, sent, programs);
    stops.push(() => first.running.close());
    await noticePseudonyms(first.running.queryUrl, words);
    return {
      hub: first.hub,
      endMs,
      words,
      crossings: seen,
      dir,
      agentRunning: first.running,
      fill: filler(words),
      deliver: (delivery) => deliver([delivery], first.running.receivers),
      async agent(more): Promise<OtherArena> {
        const other = await startOne(more, sent, options.others ?? programs);
        const stop = once(() => other.running.close());
        stops.push(stop);
        return { hub: other.hub, dir: other.dir, close: stop };
      },
      async honestHub(links, more = ''): Promise<HonestHub> {
        const own = await mkdtemp(join(dir, 'hub-'));
        const path = join(own, 'hub.yaml');
        await writeFile(path, await hubConfig(links, more, programs));
        const hub = await programs.startHub(path);
        const stop = once(() => hub.close());
        stops.push(stop);
        return { url: hub.url, dir: own, log: hub.log, close: stop };
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** In memory where the system has a place for that: how long a disk takes to flush shows nothing here. */
const FOLDER = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Samples of the worlds end at a time that senders would choose, in the past. */
function lastTime(nowMs: number): number {
  return Math.floor((nowMs - 2_000) / SAMPLE_MS) * SAMPLE_MS;
}

async function writeAgent(dir: string, token: string, more: OtherAgent, programs: AgentPrograms): Promise<string> {
  const { mkdir } = await import('node:fs/promises');
  await mkdir(dir, { recursive: true });
  const port = async (): Promise<string> => `"127.0.0.1:${(await programs.port?.()) ?? 0}"`;
  await writeFile(join(dir, 'policy.yaml'), more.policy ?? WORLD_POLICY);
  const grpc = programs.isOfThisProcess ? '"off"' : await port();
  const listen = `{otlp: ${await port()}, otlp_grpc: ${grpc}, query: ${await port()}, federation: ${await port()}}`;
  const lines = [
    'domain: eu',
    'jurisdiction: TEST',
    `listen: ${listen}`,
    'store: store',
    `shards: ${programs.isOfThisProcess ? 0 : 2}`,
    'policy: policy.yaml',
    `token: ${token}`,
    more.config ?? '',
  ];
  const path = join(dir, 'agent.yaml');
  await writeFile(path, lines.join('\n'));
  return path;
}

async function hubConfig(links: readonly HubLink[], more: string, programs: AgentPrograms): Promise<string> {
  const domains = links.map(({ name, url, token }) => ({ name, jurisdiction: 'TEST', url, token }));
  const listen = `127.0.0.1:${(await programs.port?.()) ?? 0}`;
  return `listen: "${listen}"\ndomains: ${JSON.stringify(domains)}\n${more}`;
}

/** Values that stand for people's in what is stored must not leave either. */
async function noticePseudonyms(queryUrl: string | undefined, words: Canaries): Promise<void> {
  if (queryUrl === undefined) throw new Error('the agent has no listener for people of its domain');
  for (const label of ['user', 'email', 'client_ip']) {
    const answer = await fetch(`${queryUrl}/api/v1/label/${label}/values`);
    const { data } = (await answer.json()) as { data: string[] };
    if (data.length === 0) throw new Error(`the agent holds no values of ${label}`);
    for (const value of data) words.known(`the pseudonym of a ${label}`, value);
  }
}

function filler(words: Canaries): (query: string) => string {
  const word = String(words.first('aggregate customer (a label of nobody knows what)'));
  const number = String(words.first('guarded, one of 1'));
  return (query) => query.replaceAll('$word', word).replaceAll('$number', number);
}

function once(run: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  return () => (running ??= run());
}
