import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts } from '../scripts/demo/processes.ts';
import { openBorder, type BorderProxy } from './border-proxy.ts';
import { startPeer, type Peer } from './peer.ts';
import { MAIN, type AgentPeer } from './peers.ts';

export interface HubOptions {
  readonly name?: string;
  /** For what domains said before; none when left out. */
  readonly cacheBytes?: number;
  /** The program; the project's own when left out. */
  readonly main?: string | undefined;
}

/** A hub over agents, with a border that counts in front of each. */
export interface HubPeer extends Peer {
  /** One for each agent, in their order. */
  readonly borders: readonly BorderProxy[];
}

/** `agents`: by the names of their domains. Closing the hub closes its borders, too. */
export async function startHub(agents: ReadonlyMap<string, AgentPeer>, options: HubOptions): Promise<HubPeer> {
  const { name = 'comity', cacheBytes = 0, main = MAIN } = options;
  const [port] = (await freePorts(1)) as [number];
  const borders: BorderProxy[] = [];
  const domains: object[] = [];
  for (const [domain, { federation }] of agents) {
    const border = await openBorder(federation.port);
    borders.push(border);
    const { token } = federation;
    domains.push({ name: domain, jurisdiction: 'TEST', url: `http://127.0.0.1:${border.port}`, token });
  }
  const url = `http://127.0.0.1:${port}`;
  const peer = await startPeer({
    name,
    url,
    readyUrls: [`${url}/-/ready`],
    async prepare(dir) {
      const config = {
        listen: `127.0.0.1:${port}`,
        domains,
        query_timeout_seconds: 120,
        // Nothing is kept without the log of what is answered from it.
        ...(cacheBytes > 0 ? { cache_bytes: cacheBytes, audit: { path: 'audit.jsonl' } } : {}),
      };
      // JSON is YAML, too.
      await writeFile(join(dir, 'hub.yaml'), JSON.stringify(config));
      return { args: [main, 'hub', '--config', join(dir, 'hub.yaml')] };
    },
  });
  const { close } = peer;
  return Object.assign(peer, {
    borders,
    async close() {
      await close();
      await Promise.all(borders.map((border) => border.close()));
    },
  });
}
