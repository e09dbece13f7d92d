import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePorts } from '../scripts/demo/processes.ts';
import { outputOf } from '../test/programs.ts';
import { openBorder, type BorderProxy } from './border-proxy.ts';
import { startHub } from './hub.ts';
import { startPeer, type Peer } from './peer.ts';
import { prometheusWith, startAgent, type AgentPeer } from './peers.ts';

/** Something that answers queries over several domains as if they were one. */
export interface System {
  readonly name: string;
  readonly queryUrl: string;
  /** Of all the processes that work for it, those inside of the domains too. Throws when one ended by itself. */
  readonly pids: readonly number[];
  /** Between each domain and what asks it; none where everything is in one place. */
  readonly borders: readonly BorderProxy[];
}

/** What is inside a domain: the same samples, kept by each system in its own way. */
export interface Place {
  readonly domain: string;
  readonly agent: AgentPeer;
  /** Undefined where there is no program; then there are no peers. */
  readonly prometheus: Peer | undefined;
  /** SIGKILL for all that runs in it; the borders no longer take connections. */
  kill(): Promise<void>;
}

export interface Federation {
  readonly places: readonly Place[];
  /** All samples in one Prometheus, with the domain as a label. */
  readonly reference: (System & { readonly url: string }) | undefined;
  /** Ours first. */
  readonly systems: readonly System[];
  /** Names of those whose program is not here. */
  readonly leftOut: readonly string[];
  close(): Promise<void>;
}

export const COMITY = 'comity';
const THANOS = 'thanos';
const THANOS_ENGINE = 'thanos, its own engine';
export const THANOS_DISTRIBUTED = 'thanos distributed';
export const PROMXY = 'promxy';
const REMOTE_READ = 'prometheus, remote read';
export const REFERENCE = 'prometheus, all in one';

/** Everything may leave: what is compared is how fast the same answer comes, and with how many bytes. */
export function openPolicy(domain: string): string {
  return JSON.stringify({ version: 1, domain, labels: { permit: ['*'] }, metrics: [{ match: '*', class: 'open' }] });
}

/** Starts every system that is at hand, all of them empty. */
export async function startSystems(domains: readonly string[]): Promise<Federation> {
  const stops: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const stop of stops.splice(0).reverse()) await stop();
  };
  /** Those of each domain, in the order in which they are to be killed. */
  const inside = domains.map((): { readonly peers: Peer[]; readonly borders: BorderProxy[] } => ({
    peers: [],
    borders: [],
  }));
  const within = <T extends Peer>(i: number, peer: T): T => {
    inside[i]!.peers.push(peer);
    stops.push(peer.close);
    return peer;
  };
  const bordersTo = async (ports: readonly number[]): Promise<BorderProxy[]> => {
    const opened = await Promise.all(ports.map(openBorder));
    for (const [i, border] of opened.entries()) {
      inside[i]!.borders.push(border);
      stops.push(border.close);
    }
    return opened;
  };
  const outside = <T extends Peer>(peer: T): T => {
    stops.push(peer.close);
    return peer;
  };

  try {
    const agents: AgentPeer[] = [];
    for (const [i, domain] of domains.entries()) {
      const options = { name: `agent ${domain}`, domain, policy: openPolicy(domain) };
      agents.push(within(i, await startAgent(options)));
    }
    const hub = outside(await startHub(new Map(domains.map((domain, i) => [domain, agents[i]!])), {}));
    for (const [i, border] of hub.borders.entries()) inside[i]!.borders.push(border);
    const systems: System[] = [
      {
        name: COMITY,
        queryUrl: hub.queryUrl,
        get pids() {
          return pidsOf([hub, ...agents]);
        },
        borders: hub.borders,
      },
    ];
    const missing: string[] = [];

    const stores: Peer[] = [];
    for (const [i, domain] of domains.entries()) {
      const config = { global: { external_labels: { domain } } };
      const store = await prometheusWith({ name: `prometheus ${domain}`, config });
      if (store === undefined) break;
      stores.push(within(i, store));
    }
    const whole = stores.length === 0 ? undefined : await prometheusWith({ name: REFERENCE });
    let reference: Federation['reference'];
    if (whole === undefined) {
      missing.push(THANOS, THANOS_ENGINE, THANOS_DISTRIBUTED, PROMXY, REMOTE_READ, REFERENCE);
    } else {
      outside(whole);
      reference = {
        name: REFERENCE,
        url: whole.url,
        queryUrl: whole.queryUrl,
        get pids() {
          return [whole.pid];
        },
        borders: [],
      };
      const add = (name: string, peer: Peer, others: readonly Peer[], borders: readonly BorderProxy[]): void => {
        const all = [outside(peer), ...others, ...stores];
        systems.push({
          name,
          queryUrl: peer.queryUrl,
          get pids() {
            return pidsOf(all);
          },
          borders,
        });
      };
      if ((await outputOf('thanos', '--version')) === undefined) {
        missing.push(THANOS, THANOS_ENGINE, THANOS_DISTRIBUTED);
      } else {
        const sidecars: GrpcPeer[] = [];
        for (const [i, store] of stores.entries()) sidecars.push(within(i, await startSidecar(store)));
        for (const [name, engine] of [
          [THANOS, 'prometheus'],
          [THANOS_ENGINE, 'thanos'],
        ] as const) {
          const borders = await bordersTo(sidecars.map(({ grpcPort }) => grpcPort));
          add(name, await startQuerier(name, engine, 'local', portsOf(borders)), sidecars, borders);
        }
        const leaves: GrpcPeer[] = [];
        for (const [i, { grpcPort }] of sidecars.entries()) {
          leaves.push(within(i, await startQuerier(`leaf ${domains[i]!}`, 'thanos', 'local', [grpcPort])));
        }
        const borders = await bordersTo(leaves.map(({ grpcPort }) => grpcPort));
        const global = await startQuerier(THANOS_DISTRIBUTED, 'thanos', 'distributed', portsOf(borders));
        add(THANOS_DISTRIBUTED, global, [...sidecars, ...leaves], borders);
      }
      if ((await outputOf('promxy', '--version')) === undefined) {
        missing.push(PROMXY);
      } else {
        const borders = await bordersTo(stores.map(portOf));
        add(PROMXY, await startPromxy(domains, portsOf(borders)), [], borders);
      }
      const borders = await bordersTo(stores.map(portOf));
      const urls = portsOf(borders).map((port) => `http://127.0.0.1:${port}/api/v1/read`);
      const config = { remote_read: urls.map((url) => ({ url, read_recent: true })) };
      add(REMOTE_READ, (await prometheusWith({ name: REMOTE_READ, config }))!, [], borders);
    }

    const places = domains.map((domain, i): Place => {
      const { peers, borders } = inside[i]!;
      return {
        domain,
        agent: agents[i]!,
        prometheus: stores[i],
        async kill() {
          for (const border of borders) await border.down();
          for (const peer of peers.toReversed()) await peer.kill();
        },
      };
    });
    return { places, reference, systems, leftOut: missing, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function pidsOf(peers: readonly Peer[]): number[] {
  return peers.map(({ pid }) => pid);
}

function portOf({ url }: Peer): number {
  return Number(new URL(url).port);
}

function portsOf(borders: readonly BorderProxy[]): number[] {
  return borders.map(({ port }) => port);
}

interface GrpcPeer extends Peer {
  readonly grpcPort: number;
}

async function startThanos(name: string, args: (dataDir: string) => readonly string[]): Promise<GrpcPeer> {
  const [http, grpcPort] = (await freePorts(2)) as [number, number];
  const url = `http://127.0.0.1:${http}`;
  const peer = await startPeer({
    name,
    url,
    readyUrls: [`${url}/-/ready`],
    async prepare(_dir, dataDir) {
      const listen = [`--http-address=127.0.0.1:${http}`, `--grpc-address=127.0.0.1:${grpcPort}`, '--log.level=warn'];
      return { program: 'thanos', args: [...args(dataDir), ...listen] };
    },
  });
  return Object.assign(peer, { grpcPort });
}

/** Serves one Prometheus's samples to queriers; it uploads nothing. */
function startSidecar(store: Peer): Promise<GrpcPeer> {
  return startThanos(`sidecar of ${store.name}`, (dataDir) => [
    'sidecar',
    `--prometheus.url=${store.url}`,
    `--tsdb.path=${dataDir}`,
  ]);
}

function startQuerier(
  name: string,
  engine: 'prometheus' | 'thanos',
  mode: 'local' | 'distributed',
  ports: readonly number[],
): Promise<GrpcPeer> {
  return startThanos(name, () => [
    'query',
    `--query.promql-engine=${engine}`,
    `--query.mode=${mode}`,
    ...ports.map((port) => `--endpoint=127.0.0.1:${port}`),
  ]);
}

async function startPromxy(domains: readonly string[], ports: readonly number[]): Promise<Peer> {
  const [http] = (await freePorts(1)) as [number];
  const url = `http://127.0.0.1:${http}`;
  const groups = domains.map((domain, i) => ({
    static_configs: [{ targets: [`127.0.0.1:${ports[i]!}`] }],
    labels: { domain },
    remote_read: true,
    // Its default may be too short for a busy machine.
    http_client: { dial_timeout: '2s' },
    timeout: '120s',
  }));
  return startPeer({
    name: PROMXY,
    url,
    readyUrls: [`${url}/-/ready`],
    async prepare(dir, dataDir) {
      const path = join(dir, 'promxy.yaml');
      await writeFile(path, JSON.stringify({ promxy: { server_groups: groups } }));
      const listen = [`--bind-addr=127.0.0.1:${http}`, `--storage.path=${dataDir}`, '--http.shutdown-delay=0s'];
      return {
        program: 'promxy',
        args: [`--config=${path}`, ...listen, '--log-level=warning', '--access-log-destination=none'],
      };
    },
  });
}
