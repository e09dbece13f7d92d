import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startAgent, type Agent } from '../../src/agent/agent.ts';
import { ingest } from '../../src/agent/ingest.ts';
import type { DispatchLimits } from '../../src/hub/config.ts';
import { startHub } from '../../src/hub/hub.ts';
import type { PromqlFeatures } from '../../src/promql/features.ts';
import type { Appended, Batch } from '../../src/model/batch.ts';

export interface FederationOptions {
  readonly domains: readonly string[];
  /** The policy document (YAML) of a domain. */
  policy(domain: string): string;
  /** `TEST` for every domain when not given. */
  jurisdiction?(domain: string): string;
  /** Threads of a domain's agent; none when not given. */
  shards?(domain: string): number;
  /** How the hub reaches a domain's agent, if not at its own address, and what it may ask there. */
  link?(domain: string, url: string): Promise<DispatchLimits & { readonly url?: string }>;
  /** Of the hub, which asks its domains with them; none when not given. */
  readonly features?: PromqlFeatures;
}

type Link = DispatchLimits & {
  readonly name: string;
  readonly jurisdiction: string;
  readonly url: string;
  readonly token: string;
};

/** Agents and a hub of this process that speak over HTTP on the loopback interface. */
export interface Federation {
  /** Root of the hub's HTTP API, without a slash at the end. */
  readonly url: string;
  readonly agents: ReadonlyMap<string, Agent>;
  /** How the hub reaches them, for one more hub. */
  readonly links: readonly Link[];
  /** Closes the hub, then the agents, and removes their data. */
  close(): Promise<void>;
}

/** Starts one agent a domain and a hub over them, in a folder of their own for temporary files. */
export async function startFederation(options: FederationOptions): Promise<Federation> {
  const dir = await mkdtemp(join(tmpdir(), 'comity-federation-'));
  const agents = new Map<string, Agent>();
  const stops: (() => Promise<void>)[] = [() => rm(dir, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (let stop = stops.pop(); stop !== undefined; stop = stops.pop()) await stop();
  };
  const jurisdiction = (domain: string): string => options.jurisdiction?.(domain) ?? 'TEST';
  try {
    const links: Link[] = [];
    for (const domain of options.domains) {
      const policy = join(dir, `${domain}.policy.yaml`);
      await writeFile(policy, options.policy(domain));
      const token = randomBytes(32).toString('hex');
      const agent = await startAgent({
        domain,
        jurisdiction: jurisdiction(domain),
        listen: { otlp: '127.0.0.1:0', federation: '127.0.0.1:0' },
        store: join(dir, domain),
        shards: options.shards?.(domain) ?? 0,
        policy,
        token,
      });
      agents.set(domain, agent);
      stops.push(() => agent.close());
      const url = agent.federationUrl;
      links.push({
        name: domain,
        jurisdiction: jurisdiction(domain),
        url,
        token,
        ...(await options.link?.(domain, url)),
      });
    }
    const hub = await startHub({
      listen: '127.0.0.1:0',
      domains: links,
      ...(options.features === undefined ? {} : { features: options.features }),
    });
    stops.push(() => hub.close());
    return { url: hub.url, agents, links, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Puts a batch into an agent's store, past its receivers. */
export async function store(agent: Agent, batch: Batch): Promise<Appended> {
  const intake = ingest(agent.shards, { onFailure: (error) => void process.stderr.write(`${error.message}\n`) });
  try {
    return await intake.append(batch);
  } finally {
    await intake.close();
  }
}
