import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { compress, uncompress } from 'snappyjs';
import { messageCodec } from '../../src/base/proto.ts';
import type { WriteHistogram } from '../wire/remote-write-requests.ts';
import { isExecutable, outputOf } from '../programs.ts';
import { answers, startTied } from './tied-program.ts';

/** A Prometheus that scrapes and writes what it scraped to a receiver. */
export interface PrometheusSender {
  /** Root of its HTTP API, without a slash at the end. */
  readonly url: string;
  /** The end of its log. */
  log(): string;
  close(): Promise<void>;
}

export interface SenderOptions {
  readonly program: string;
  readonly args: readonly string[];
  /** YAML of its configuration. */
  readonly config: (ownAddress: string) => string;
}

/** Where `.ci/run` puts Debian's package. */
const UNPACKED = join(import.meta.dirname, '..', '..', '.cache', 'prometheus', 'usr', 'bin', 'prometheus');

/**
 * A Prometheus 2: `COMITY_PROMETHEUS_2`, else one on the PATH, else the one that `.ci/run` has unpacked. Undefined where
 * there is none.
 */
export async function findPrometheus2(): Promise<string | undefined> {
  const named = process.env['COMITY_PROMETHEUS_2'] ?? '';
  if (named !== '') {
    if (await isExecutable(named)) return named;
    throw new Error(`COMITY_PROMETHEUS_2 names ${named}, which is no program that can be run`);
  }
  for (const program of ['prometheus', UNPACKED]) {
    if (/^prometheus, version 2\./m.test((await outputOf(program, '--version')) ?? '')) return program;
  }
  return undefined;
}

/** Starts a Prometheus on a port that was free a moment ago: it must scrape itself, so that it needs to know the port. */
export async function startPrometheus(
  port: number,
  { program, args, config }: SenderOptions,
): Promise<PrometheusSender> {
  const address = `127.0.0.1:${port}`;
  const url = `http://${address}`;
  const prepare = async (dir: string) => {
    await writeFile(join(dir, 'prometheus.yml'), config(address));
    return [
      `--config.file=${join(dir, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=${address}`,
      ...args,
    ];
  };
  const { log, close } = await startTied(program, prepare, () => answers(`${url}/-/ready`));
  return { url, log, close };
}

/** A series as it is in a Prometheus's own store. */
export interface StoredSeries {
  readonly labels: readonly { readonly name: string; readonly value: string }[];
  readonly samples: readonly { readonly value: number; readonly timestamp: number }[];
  readonly histograms: readonly (WriteHistogram & { readonly timestamp: number })[];
}

/** What a remote read returns has the fields of a write request: a list of series in field 1. */
const series = messageCodec<{ timeseries: StoredSeries[] }>('prometheus/write_v1.proto', 'prometheus.WriteRequest');

/** All samples in [fromMs, toMs] by remote read (1.0), which also returns staleness markers. */
export async function remoteRead(url: string, fromMs: number, toMs: number): Promise<StoredSeries[]> {
  const writer = new protobuf.Writer();
  // One query: a start, an end, and the matcher __name__ != "".
  writer.uint32((1 << 3) | 2).fork();
  writer.uint32(1 << 3).int64(fromMs);
  writer.uint32(2 << 3).int64(toMs);
  writer.uint32((3 << 3) | 2).fork();
  writer.uint32(1 << 3).uint32(1);
  writer.uint32((2 << 3) | 2).string('__name__');
  writer.ldelim().ldelim();
  const response = await fetch(`${url}/api/v1/read`, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-protobuf',
      'content-encoding': 'snappy',
      'x-prometheus-remote-read-version': '0.1.0',
    },
    body: new Uint8Array(compress(writer.finish())),
  });
  if (!response.ok) throw new Error(`remote read: ${response.status} ${await response.text()}`);
  const reader = protobuf.Reader.create(uncompress(new Uint8Array(await response.arrayBuffer())));
  const out: StoredSeries[] = [];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === ((1 << 3) | 2)) out.push(...series.decode(reader.bytes()).timeseries);
    else reader.skipType(tag & 7);
  }
  return out;
}
