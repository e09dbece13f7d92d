import { spend, type Load, type Spent } from './load.ts';
import type { Peer, StartPeer } from './peer.ts';
import { judge, leftOut, type Measured, type Row } from './row.ts';
import { median } from './statistics.ts';

/** A load that is delivered as fast as each server takes it. */
export interface Workload {
  readonly workload: string;
  readonly what: string;
  readonly items: number;
  /** How many times ours must be above the peer, per CPU second. */
  readonly target: number;
  /** Ours first. */
  readonly peers: readonly { readonly name: string; start: StartPeer; load(peer: Peer): Load }[];
}

/** How workloads run. */
export interface Settings {
  readonly seed: number;
  /** Runs of which the median counts. */
  readonly repeat: number;
  /** Part of the full number of series. */
  readonly scale: number;
  progress(line: string): void;
}

/** Runs a load on each peer in turn, `repeat` times over with fresh data each time, and takes the medians. */
export async function measure(
  { workload, what, items, target, peers }: Workload,
  { repeat, progress }: Settings,
): Promise<Row> {
  const spent = peers.map((): Spent[] => []);
  for (let round = 0; round < repeat; round++) {
    // In turns, so that a slow minute of the machine meets all of them.
    for (const [i, { name, start, load }] of peers.entries()) {
      const peer = await start();
      if (peer === undefined) continue;
      try {
        const one = await spend(peer.pid, load(peer));
        spent[i]!.push(one);
        const { cpuSeconds, wallSeconds } = one;
        progress(
          `${workload} ${name}, run ${round + 1} of ${repeat}: ${cpuSeconds.toFixed(2)} s CPU, ${wallSeconds.toFixed(2)} s`,
        );
      } finally {
        await peer.close();
      }
    }
  }
  const measured = peers.map(({ name }, i): Measured => {
    const all = spent[i]!;
    if (all.length === 0) return leftOut(name);
    const figures = {
      perCpuSecond: median(all.map(({ cpuSeconds }) => items / cpuSeconds))!,
      perSecond: median(all.map(({ wallSeconds }) => items / wallSeconds))!,
      residentBytes: median(all.map(({ residentBytes }) => residentBytes))!,
    };
    return { peer: name, figures };
  });
  return judge(workload, what, { kind: 'ratio', figure: 'perCpuSecond', better: 'more', atLeast: target }, measured);
}
