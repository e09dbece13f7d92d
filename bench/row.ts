/** A figure's name ends in its unit, where it has one. */
export type Figure =
  | 'perCpuSecond'
  | 'perSecond'
  | 'wallMs'
  | 'cpuMs'
  | 'residentBytes'
  | 'peakBytes'
  | 'bytesPerSample'
  | 'totalBytes'
  | 'bytesPerSeries'
  | 'readyMs'
  | 'answerMs'
  | 'requestsPerSecond'
  | 'aloneP50Ms'
  | 'aloneP99Ms'
  | 'busyP50Ms'
  | 'busyP99Ms'
  | 'p99Growth'
  | 'queries'
  | 'queryMs';

export type Figures = Readonly<Partial<Record<Figure, number>>>;

/** What one server did. */
export interface Measured {
  readonly peer: string;
  readonly figures: Figures;
  /** Why there are no figures. */
  readonly note?: string;
}

/** What is judged: ours against a peer's, or ours alone. */
export type Target =
  | { readonly kind: 'ratio'; readonly figure: Figure; readonly better: 'more' | 'less'; readonly atLeast: number }
  | { readonly kind: 'bound'; readonly figure: Figure; readonly better: 'less'; readonly atMost: number };

/** One row of the table: the same work on every server. */
export interface Row {
  /** The first word is what it is asked for by: `W3 cold` is part of `W3`. */
  readonly workload: string;
  readonly what: string;
  /** Ours first, then the one that the target is about, then others. */
  readonly measured: readonly Judged[];
  readonly target: Target;
  /** Undefined where a figure that it takes is missing. */
  readonly met: boolean | undefined;
}

export interface Judged extends Measured {
  /** How many times better ours is in the target's figure; ours has none. */
  readonly ratio?: number;
}

/** Names of peers whose program is not here get a note in place of figures. */
export function leftOut(peer: string): Measured {
  return { peer, figures: {}, note: 'left out: no program' };
}

export function judge(workload: string, what: string, target: Target, measured: readonly Measured[]): Row {
  const own = measured[0]?.figures[target.figure];
  const judged = measured.map((one, i): Judged => {
    const theirs = one.figures[target.figure];
    if (i === 0 || own === undefined || theirs === undefined) return one;
    return { ...one, ratio: target.better === 'more' ? own / theirs : theirs / own };
  });
  return { workload, what, measured: judged, target, met: isMet(target, own, judged[1]?.ratio) };
}

function isMet(target: Target, own: number | undefined, ratio: number | undefined): boolean | undefined {
  if (target.kind === 'bound') return own === undefined ? undefined : own <= target.atMost;
  return ratio === undefined ? undefined : ratio >= target.atLeast;
}
