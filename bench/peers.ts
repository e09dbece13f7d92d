import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts, startProgram, waitUntilReady } from '../scripts/demo/processes.ts';
import { findProgram } from '../test/oracle/program.ts';
import { EMPTY_EXPORT, findCollector } from '../test/senders/collector.ts';

/** A server under load, in a process of its own with fresh data. */
export interface Peer {
  readonly pid: number;
  /** Root of its receivers, without a slash at the end. */
  readonly url: string;
  /** Ends it and removes its data. */
  close(): Promise<void>;
}

/** Starts a peer, or undefined where its program is not at hand. */
export type StartPeer = () => Promise<Peer | undefined>;

const MAIN = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));

/** Nothing may leave: ingest is what is measured. Redaction at ingest is on, as it always is. */
const POLICY = 'version: 1\ndomain: bench\nlabels: {permit: []}\n';

export async function startComity(): Promise<Peer> {
  const [otlp, grpc, federation] = (await freePorts(3)) as [number, number, number];
  return startPeer('comity', otlp, '/-/ready', async (dir) => {
    await writeFile(join(dir, 'policy.yaml'), POLICY);
    const listen = `{otlp: '127.0.0.1:${otlp}', otlp_grpc: '127.0.0.1:${grpc}', federation: '127.0.0.1:${federation}'}`;
    const config = [
      'domain: bench',
      'jurisdiction: TEST',
      `listen: ${listen}`,
      'store: agent.sqlite',
      'policy: policy.yaml',
      `token: ${randomBytes(16).toString('hex')}`,
    ];
    await writeFile(join(dir, 'agent.yaml'), config.join('\n'));
    return { args: [MAIN, 'agent', '--config', join(dir, 'agent.yaml')] };
  });
}

/** Prometheus 3.15 as a receiver of remote write; it scrapes nothing. Its record is not synced per request, as ours. */
export async function startPrometheus(): Promise<Peer | undefined> {
  const program = await findProgram();
  if (program === undefined) return undefined;
  const [port] = (await freePorts(1)) as [number];
  return startPeer('prometheus', port, '/-/ready', async (dir) => {
    await writeFile(join(dir, 'prometheus.yml'), '{}\n');
    const args = [
      `--config.file=${join(dir, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--web.enable-remote-write-receiver',
      '--log.level=warn',
    ];
    return { program, args };
  });
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
    return startPeer('collector', port, '/v1/metrics', async (dir) => {
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
      return { program, args: [`--config=file:${join(dir, 'collector.yaml')}`], ready: EMPTY_EXPORT };
    });
  };
}

/** What redaction looks for in values that stay: card numbers and e-mail addresses. */
const BLOCKED_VALUES = ['4[0-9]{12}(?:[0-9]{3})?', '(5[1-5][0-9]{14})', '[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+'];

async function startPeer(
  name: string,
  port: number,
  readyPath: string,
  prepare: (dir: string) => Promise<{ program?: string; args: readonly string[]; ready?: RequestInit }>,
): Promise<Peer> {
  const dir = await mkdtemp(join(tmpdir(), 'comity-bench-'));
  const logPath = join(dir, 'log');
  const { ready, ...command } = await prepare(dir);
  const program = startProgram({ name, logPath, ...command });
  const url = `http://127.0.0.1:${port}`;
  const close = async (): Promise<void> => {
    await program.stop();
    await rm(dir, { recursive: true, force: true });
  };
  try {
    await waitUntilReady(program, url + readyPath, logPath, ready);
  } catch (error) {
    await close();
    throw error;
  }
  return { pid: program.pid, url, close };
}
