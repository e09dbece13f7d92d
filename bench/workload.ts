import type { Peer, StartPeer } from './peers.ts';
import { spend, type Load, type Spent } from './load.ts';

/** What one peer did with one load. */
export interface Measured {
  readonly peer: string;
  /** Items a second of CPU time, the median of the repetitions; undefined where the program is not at hand. */
  readonly perCpuSecond: number | undefined;
  readonly perWallSecond: number | undefined;
  readonly residentBytes: number | undefined;
}

/** One row of the table: the same load on every peer, ours first. */
export interface Result {
  readonly workload: string;
  readonly what: string;
  readonly items: number;
  /** How many times ours must be above the peer, per CPU second. */
  readonly target: number;
  readonly measured: readonly Measured[];
  /** Ours over the peer's, per CPU second; undefined without a peer. */
  readonly ratio: number | undefined;
}

export interface Workload {
  readonly workload: string;
  readonly what: string;
  readonly items: number;
  readonly target: number;
  readonly peers: readonly { readonly name: string; start: StartPeer; load(peer: Peer): Load }[];
}

/** Runs a load on each peer in turn, `repeat` times over with fresh data each time, and takes the medians. */
export async function measure(
  { peers, ...row }: Workload,
  repeat: number,
  onProgress: (line: string) => void,
): Promise<Result> {
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
        onProgress(
          `${row.workload} ${name}, run ${round + 1} of ${repeat}: ${cpuSeconds.toFixed(2)} s CPU, ${wallSeconds.toFixed(2)} s`,
        );
      } finally {
        await peer.close();
      }
    }
  }
  const measured = peers.map(({ name }, i): Measured => {
    const all = spent[i]!;
    return {
      peer: name,
      perCpuSecond: median(all.map(({ cpuSeconds }) => row.items / cpuSeconds)),
      perWallSecond: median(all.map(({ wallSeconds }) => row.items / wallSeconds)),
      residentBytes: median(all.map(({ residentBytes }) => residentBytes)),
    };
  });
  const [ours, theirs] = measured;
  const ratio =
    ours?.perCpuSecond === undefined || theirs?.perCpuSecond === undefined
      ? undefined
      : ours.perCpuSecond / theirs.perCpuSecond;
  return { ...row, measured, ratio };
}

function median(values: readonly number[]): number | undefined {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)];
}
