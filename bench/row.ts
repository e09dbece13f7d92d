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
  | 'addedMs'
  | 'queries'
  | 'queryMs'
  | 'series'
  | 'wrongSeries'
  | 'missingSeries'
  | 'offBy'
  | 'agentCpuMs'
  | 'hubCpuMs'
  | 'domainCpuUs'
  | 'cells'
  | 'stepsAsked'
  | 'slope';

export type Figures = Readonly<Partial<Record<Figure, number>>>;

/** What one server did. */
export interface Measured {
  readonly peer: string;
  readonly figures: Figures;
  /** Why there are no figures, or what was answered in their place. */
  readonly note?: string | undefined;
  /** How many times better ours must be than this one, where that is not what the target says; 0 for one that is not judged. */
  readonly atLeast?: number | undefined;
}

/** What is judged: ours against a peer's, or ours alone. */
export type Target =
  | {
      readonly kind: 'ratio';
      readonly figure: Figure;
      readonly better: 'more' | 'less';
      readonly atLeast: number;
      /** The first peer when left out. */
      readonly of?: 'each';
    }
  | { readonly kind: 'bound'; readonly figure: Figure; readonly better: 'less'; readonly atMost: number };

/** One row of the table: the same work on every server. */
export interface Row {
  /** The first word is what it is asked for by: `W3 cold` is part of `W3`. */
  readonly workload: string;
  readonly what: string;
  /** Ours first, then the one that the target is about, then others. */
  readonly measured: readonly Judged[];
  /** Left out where nothing is judged. */
  readonly target?: Target;
  /** Undefined where a figure that it takes is missing. */
  readonly met?: boolean | undefined;
}

export interface Judged extends Measured {
  /** How many times better ours is in the target's figure; ours has none. */
  readonly ratio?: number;
  /** Against this one alone, where the target is of each. */
  readonly met?: boolean;
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
    const ratio = target.better === 'more' ? own / theirs : theirs / own;
    const { atLeast = target.kind === 'ratio' ? target.atLeast : 0 } = one;
    const ofEach = target.kind === 'ratio' && target.of === 'each' && atLeast > 0;
    return ofEach ? { ...one, ratio, met: ratio >= atLeast } : { ...one, ratio };
  });
  return { workload, what, measured: judged, target, met: isMet(target, own, judged) };
}

function isMet(target: Target, own: number | undefined, judged: readonly Judged[]): boolean | undefined {
  if (target.kind === 'bound') return own === undefined ? undefined : own <= target.atMost;
  if (target.of === 'each') {
    const each = judged.flatMap(({ met }) => met ?? []);
    return each.length === 0 ? undefined : each.every(Boolean);
  }
  const ratio = judged[1]?.ratio;
  return ratio === undefined ? undefined : ratio >= target.atLeast;
}
