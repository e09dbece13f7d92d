import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { dataset, startOf, timeSeriesOf, type Kind } from './dataset.ts';
import { deliverAll, withPeers } from './deliver.ts';
import type { Peer } from './peer.ts';
import { settleAgent, startComity, startPrometheus } from './peers.ts';
import { bytesUnder } from './process-stats.ts';
import { judge, leftOut, type Measured, type Row, type Target } from './row.ts';
import type { Settings } from './workload.ts';

const SERIES = 2_000;

/** Six hours: Prometheus writes three blocks. */
const SCRAPES = 1_440;

const KINDS: readonly (readonly [kind: Kind, name: string])[] = [
  ['counter', 'counters'],
  ['gauge', 'gauges'],
  ['histogram', 'native histograms'],
  ['classic', 'classic histograms'],
];

/** At most half of Prometheus's. */
const TARGET: Target = { kind: 'ratio', figure: 'bytesPerSample', better: 'less', atLeast: 2 };

/** Bytes of what one server keeps. */
interface Kept {
  readonly all: number;
  /** The part that grows with the samples and not with the series: without labels and index. */
  readonly ofSamples: number;
}

/**
 * W8: bytes on disk of each kind of series, everything written out and merged. Ours: all that lies in the agent's folder after
 * a clean stop; samples alone are what that is more than after a single scrape. Prometheus: a snapshot, which has its blocks
 * and the head as a block of its own; samples alone are the blocks' chunk files.
 */
export async function disk(settings: Settings): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [kind, name] of KINDS) rows.push(...(await diskOf(kind, name, settings)));
  return rows;
}

async function diskOf(kind: Kind, name: string, { seed, scale, progress }: Settings): Promise<Row[]> {
  const perItem = timeSeriesOf(kind);
  const count = Math.ceil((SERIES * scale) / perItem);
  progress(`W8 ${name}: ${(count * perItem).toLocaleString('en-US')} series, ${SCRAPES} scrapes`);
  const data = (scrapes: number) => dataset({ seed, series: count, startMs: startOf(scrapes), kinds: [kind] });

  const empty = await withPeers({ comity: startComity }, async (_, peers) => {
    await deliverAll(peers, data(1), 1, () => undefined);
    return bytesOfAgent(peers[0]!);
  });
  return withPeers({ comity: startComity, prometheus: startPrometheus }, async (started, peers) => {
    const samples = await deliverAll(peers, data(SCRAPES), SCRAPES, progress);
    const kept: { peer: string; bytes: Kept | undefined }[] = [];
    for (const { name: peer, peer: server } of started) {
      if (server === undefined) {
        kept.push({ peer, bytes: undefined });
      } else if (peer === 'comity') {
        await assertHeld(server, samples);
        const all = await bytesOfAgent(server);
        kept.push({ peer, bytes: { all, ofSamples: all - empty } });
      } else {
        kept.push({ peer, bytes: await snapshotBytes(server, samples) });
      }
    }
    const figures = (part: keyof Kept): Measured[] =>
      kept.map(({ peer, bytes }) =>
        bytes === undefined
          ? leftOut(peer)
          : { peer, figures: { bytesPerSample: bytes[part] / samples, totalBytes: bytes[part] } },
      );
    const what = `${(count * perItem).toLocaleString('en-US')} series x ${SCRAPES.toLocaleString('en-US')}`;
    return [
      judge(`W8 ${name}`, `${what}, all bytes`, TARGET, figures('all')),
      judge(`W8 ${name}`, `${what}, without labels and index`, TARGET, figures('ofSamples')),
    ];
  });
}

async function bytesOfAgent(peer: Peer): Promise<number> {
  await settleAgent(peer);
  await peer.stop();
  return bytesUnder(peer.dataDir);
}

/** How long the agent's threads may take to tell of the last append. */
const TOLD_MS = 3_000;

/** What was left out would make the rest look small. */
async function assertHeld({ url }: Peer, samples: number): Promise<void> {
  const untilMs = Date.now() + TOLD_MS;
  for (;;) {
    const text = await (await fetch(`${url}/metrics`)).text();
    const held = Number(/^comity_store_samples (\S+)$/m.exec(text)?.[1]);
    if (held === samples) return;
    if (Date.now() > untilMs) throw new Error(`the agent holds ${held} samples, not the ${samples} that came`);
    await setTimeout(100);
  }
}

interface BlockMeta {
  readonly stats: { readonly numSamples: number };
}

async function snapshotBytes({ url, dataDir }: Peer, samples: number): Promise<Kept> {
  const response = await fetch(`${url}/api/v1/admin/tsdb/snapshot`, { method: 'POST' });
  if (response.status !== 200) throw new Error(`no snapshot: ${response.status} ${await response.text()}`);
  const { data } = (await response.json()) as { readonly data: { readonly name: string } };
  const folder = join(dataDir, 'snapshots', data.name);
  let all = 0;
  let ofSamples = 0;
  let held = 0;
  for (const block of await readdir(folder)) {
    const meta = JSON.parse(await readFile(join(folder, block, 'meta.json'), 'utf8')) as BlockMeta;
    held += meta.stats.numSamples;
    const chunks = await bytesUnder(join(folder, block, 'chunks'));
    ofSamples += chunks;
    all += chunks + (await stat(join(folder, block, 'index'))).size;
  }
  if (held !== samples) throw new Error(`the snapshot holds ${held} samples, not the ${samples} that were sent`);
  return { all, ofSamples };
}
