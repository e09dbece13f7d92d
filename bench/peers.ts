import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from 'undici';
import { freePorts } from '../scripts/demo/processes.ts';
import { findProgram } from '../test/oracle/program.ts';
import { isExecutable, outputOf } from '../test/programs.ts';
import { EMPTY_EXPORT, findCollector } from '../test/senders/collector.ts';
import { startPeer, type Peer, type StartPeer } from './peer.ts';

export const MAIN = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));

/** Nothing may leave: ingest and local queries are what is measured. Redaction at ingest is on, as it always is. */
const POLICY = 'version: 1\ndomain: bench\nlabels: {permit: []}\n';

/** The agent's store within its `dataDir`. */
const STORE = 'store';

/** Lets functions be measured that are not in PromQL for good. */
const EXPERIMENTAL = 'promql-experimental-functions';

/** More than any workload sends; a metric of the data set has 60 % of the series. */
const SERIES_LIMIT = 2_000_000;

/** How an agent is started. */
interface ComityOptions {
  readonly name?: string;
  readonly domain?: string;
  /** The policy document; one that lets nothing out when left out. */
  readonly policy?: string;
  /** Threads that each have a part of the series; 0 for none but the main one. As many as the agent chooses when left out. */
  readonly shards?: number;
  /** The program; the project's own when left out. */
  readonly main?: string | undefined;
}

export function startComity(): Promise<Peer> {
  return startAgent({});
}

export function comityWith(options: ComityOptions): () => Promise<Peer> {
  return () => startAgent(options);
}

/** An agent, and what a hub must know of it. */
export interface AgentPeer extends Peer {
  readonly federation: { readonly port: number; readonly token: string };
}

export async function startAgent(options: ComityOptions): Promise<AgentPeer> {
  const { name = 'comity', domain = 'bench', policy = POLICY, shards, main = MAIN } = options;
  const token = randomBytes(16).toString('hex');
  const [otlp, grpc, query, federation] = (await freePorts(4)) as [number, number, number, number];
  const url = `http://127.0.0.1:${otlp}`;
  const queryUrl = `http://127.0.0.1:${query}`;
  const peer = await startPeer({
    name,
    url,
    queryUrl,
    readyUrls: [`${url}/-/ready`, `${queryUrl}/-/ready`],
    async prepare(dir, dataDir) {
      await writeFile(join(dir, 'policy.yaml'), policy);
      const ports = { otlp, otlp_grpc: grpc, query, federation };
      const listen = Object.entries(ports).map(([name, port]) => `${name}: '127.0.0.1:${port}'`);
      const config = [
        `domain: ${domain}`,
        'jurisdiction: TEST',
        `listen: {${listen.join(', ')}}`,
        `store: '${join(dataDir, STORE)}'`,
        'policy: policy.yaml',
        `token: ${token}`,
        `limits: {series: ${SERIES_LIMIT}, series_per_metric: ${SERIES_LIMIT}}`,
        `features: [${EXPERIMENTAL}]`,
        ...(shards === undefined ? [] : [`shards: ${shards}`]),
      ];
      await writeFile(join(dir, 'agent.yaml'), config.join('\n'));
      return { args: [main, 'agent', '--config', join(dir, 'agent.yaml')] };
    },
  });
  return Object.assign(peer, { federation: { port: federation, token } });
}

/** Merging all chunks of a large store takes a while. */
const SETTLE_MS = 15 * 60_000;

/**
 * Has an agent write out what is in memory and merge its chunks, where it listens for that; one that does not has nothing to
 * merge, and writes the rest out at its clean stop.
 */
export async function settleAgent({ dataDir }: Peer): Promise<void> {
  const socketPath = join(dataDir, STORE, 'admin.sock');
  if (!existsSync(socketPath)) return;
  const client = new Client('http://localhost', { socketPath, headersTimeout: SETTLE_MS, bodyTimeout: SETTLE_MS });
  try {
    const { statusCode, body } = await client.request({ method: 'POST', path: '/compact' });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`the agent did not compact: ${statusCode} ${text.slice(0, 400)}`);
  } finally {
    await client.close();
  }
}

/** Prometheus 3.15 as a receiver of remote write; it scrapes nothing. Its record is not synced per request, as ours. */
export function startPrometheus(): Promise<Peer | undefined> {
  return prometheusWith({ name: 'prometheus' });
}

/** The same with a configuration of its own. */
export async function prometheusWith(options: {
  readonly name: string;
  readonly config?: object;
}): Promise<Peer | undefined> {
  const { name, config = {} } = options;
  const program = await findProgram();
  if (program === undefined) return undefined;
  const [port] = (await freePorts(1)) as [number];
  const url = `http://127.0.0.1:${port}`;
  return startPeer({
    name,
    url,
    readyUrls: [`${url}/-/ready`],
    async prepare(dir, dataDir) {
      await writeFile(join(dir, 'prometheus.yml'), JSON.stringify(config));
      const args = [
        `--config.file=${join(dir, 'prometheus.yml')}`,
        `--storage.tsdb.path=${dataDir}`,
        `--web.listen-address=127.0.0.1:${port}`,
        '--web.enable-remote-write-receiver',
        // For snapshots.
        '--web.enable-admin-api',
        `--enable-feature=${EXPERIMENTAL}`,
        '--log.level=warn',
      ];
      return { program, args };
    },
  });
}

/**
 * VictoriaMetrics, one process: `COMITY_VICTORIA`, else `victoria-metrics` on the PATH. It keeps no results, so that each
 * query is answered from its data, as the others answer it.
 */
export async function startVictoria(): Promise<Peer | undefined> {
  const program = await findVictoria();
  if (program === undefined) return undefined;
  const [port] = (await freePorts(1)) as [number];
  const url = `http://127.0.0.1:${port}`;
  return startPeer({
    name: 'victoria-metrics',
    url,
    readyUrls: [`${url}/health`],
    async prepare(_dir, dataDir) {
      const args = [
        `-storageDataPath=${dataDir}`,
        `-httpListenAddr=127.0.0.1:${port}`,
        '-search.disableCache',
        '-loggerLevel=WARN',
      ];
      return { program, args };
    },
  });
}

async function findVictoria(): Promise<string | undefined> {
  const named = process.env['COMITY_VICTORIA'] ?? '';
  if (named !== '') {
    if (await isExecutable(named)) return named;
    throw new Error(`COMITY_VICTORIA names ${named}, which is no program that can be run`);
  }
  return (await outputOf('victoria-metrics', '-version')) === undefined ? undefined : 'victoria-metrics';
}

/**
 * The OpenTelemetry Collector with its OTLP receiver, the redaction processor and an exporter that drops everything.
 * `allowedKeys` are the attributes that stay.
 */
export function collector(allowedKeys: readonly string[]): StartPeer {
  return async () => {
    const program = await findCollector();
    if (program === undefined) return undefined;
    const [port] = (await freePorts(1)) as [number];
    const url = `http://127.0.0.1:${port}`;
    return startPeer({
      name: 'collector',
      url,
      readyUrls: [`${url}/v1/metrics`],
      readyInit: EMPTY_EXPORT,
      async prepare(dir) {
        const config = {
          receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } },
          processors: {
            redaction: {
              allow_all_keys: false,
              allowed_keys: allowedKeys,
              blocked_values: BLOCKED_VALUES,
              summary: 'silent',
            },
          },
          exporters: { nop: {} },
          service: {
            telemetry: { metrics: { level: 'none' }, logs: { level: 'error' } },
            pipelines: {
              metrics: { receivers: ['otlp'], processors: ['redaction'], exporters: ['nop'] },
              traces: { receivers: ['otlp'], processors: ['redaction'], exporters: ['nop'] },
            },
          },
        };
        await writeFile(join(dir, 'collector.yaml'), JSON.stringify(config));
        return { program, args: [`--config=file:${join(dir, 'collector.yaml')}`] };
      },
    });
  };
}

/** What redaction looks for in values that stay: card numbers and e-mail addresses. */
const BLOCKED_VALUES = ['4[0-9]{12}(?:[0-9]{3})?', '(5[1-5][0-9]{14})', '[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+'];
