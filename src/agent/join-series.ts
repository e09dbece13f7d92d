import { LIMITS } from '../base/limits.ts';
import { handleLabels, seriesHandle, type Batch, type Metadata, type SeriesHandle } from '../model/batch.ts';
import { isHistogramAt } from '../model/histogram.ts';
import { labelValue, METRIC_NAME } from '../model/labels.ts';
import { labelsApart } from '../policy/drop-labels.ts';

/** Decides which series without some of their labels become one. */
export interface Joining {
  /** The batch with series that cannot be joined under labels of their own. */
  batch(batch: Batch): Batch;
  counts(): JoinCounts;
}

/** Samples received since the start of series that a rule is about, by what was decided of the series. */
export type JoinCounts = ReadonlyMap<JoinDecision, number>;

/** `joined`, or why not. `unknown type`: neither metadata nor its name say that it is a counter or a histogram. */
export type JoinDecision = 'joined' | 'gauge' | 'summary' | 'mixed types' | 'unknown type';

/** `mixed`: senders say different things. */
type KnownType = Metadata['type'] | 'mixed';

interface FamilyType {
  readonly type: KnownType;
  /** Whether a sender has said so since the start; what the store remembers gives way to that. */
  readonly isHeard: boolean;
}

/** What was decided of a handle, under what was known of types then. */
interface Decided {
  readonly metric: string;
  readonly isBucket: boolean;
  version: number;
  decision: JoinDecision;
  readonly apart: SeriesHandle;
}

/**
 * Counters and histograms are joined, as metadata say what they are, or else the ends of their names: `_total`, `_bucket` with
 * `le`, `_count`, `_sum`, and any name under which a native histogram comes. All else is kept apart: a sum of temperatures is
 * no temperature, and neither the highest nor the mean of them is what the series said. `known`: what the store remembers.
 */
export function joining(known: Iterable<Metadata>): Joining {
  const types = new Map<string, FamilyType>();
  for (const { metric, type } of known) if (type !== 'unknown') types.set(metric, { type, isHeard: false });
  let version = 0;
  const decided = new WeakMap<SeriesHandle, Decided | typeof NOT_MEANT>();
  const counts = new Map<JoinDecision, number>();

  function learn({ metric, type }: Metadata): void {
    if (type === 'unknown') return;
    const before = types.get(metric);
    if (before === undefined && types.size >= LIMITS.metadataFamilies) return;
    const now = before?.isHeard === true && before.type !== type ? 'mixed' : type;
    if (before?.isHeard === true && before.type === now) return;
    types.set(metric, { type: now, isHeard: true });
    if (before?.type !== now) version++;
  }

  function decide(metric: string, isBucket: boolean): JoinDecision {
    const own = types.get(metric)?.type;
    if (own !== undefined) return OF_TYPE[own];
    const suffix = SUFFIXES.find((one) => metric.endsWith(one) && metric.length > one.length);
    if (suffix === undefined || (suffix === '_bucket' && !isBucket)) return 'unknown type';
    const family = types.get(metric.slice(0, -suffix.length))?.type;
    if (suffix === '_total' || family === undefined || family === 'summary' || family === 'histogram') return 'joined';
    return family === 'counter' ? 'unknown type' : OF_TYPE[family];
  }

  function look(handle: SeriesHandle): Decided | typeof NOT_MEANT {
    const labels = handleLabels(handle);
    const apart = labels && labelsApart(labels);
    if (labels === undefined || apart === undefined) return NOT_MEANT;
    const metric = labelValue(labels, METRIC_NAME);
    const isBucket = labelValue(labels, 'le') !== '';
    return { metric, isBucket, version: -1, decision: 'unknown type', apart: seriesHandle(apart) };
  }

  function decisionOf(handle: SeriesHandle, hasHistogram: () => boolean): Decided | undefined {
    let of = decided.get(handle);
    if (of === undefined) decided.set(handle, (of = look(handle)));
    if (of === NOT_MEANT) return undefined;
    if (of.version !== version) {
      const decision = decide(of.metric, of.isBucket);
      // What was a native histogram once is one, also where only its end is told.
      const isSettled = of.version >= 0 && of.decision === 'joined' && decision === 'unknown type';
      if (!isSettled) of.decision = decision;
      of.version = version;
    }
    if (of.decision === 'unknown type' && hasHistogram()) of.decision = 'joined';
    return of;
  }

  function count(seriesOf: Uint32Array, decisions: readonly (JoinDecision | undefined)[]): void {
    for (const at of seriesOf) {
      const decision = decisions[at];
      if (decision !== undefined) counts.set(decision, (counts.get(decision) ?? 0) + 1);
    }
  }

  return {
    batch(batch) {
      for (const one of batch.metadata) learn(one);
      let withHistograms: ReadonlySet<number> | undefined;
      let changed: SeriesHandle[] | undefined;
      let decisions: (JoinDecision | undefined)[] | undefined;
      for (const [at, handle] of batch.series.entries()) {
        const of = decisionOf(handle, () => (withHistograms ??= histogramSeries(batch)).has(at));
        if (of === undefined) continue;
        (decisions ??= batch.series.map(() => undefined))[at] = of.decision;
        if (of.decision !== 'joined') (changed ??= batch.series.slice())[at] = of.apart;
      }
      if (decisions !== undefined) count(batch.seriesOf, decisions);
      return changed === undefined ? batch : { ...batch, series: changed };
    },
    counts: () => counts,
  };
}

/** Stands for a handle that no rule is about. */
const NOT_MEANT = Symbol('not meant');

const SUFFIXES = ['_total', '_bucket', '_count', '_sum'] as const;

const OF_TYPE: Readonly<Record<KnownType, JoinDecision>> = {
  counter: 'joined',
  histogram: 'joined',
  summary: 'summary',
  gauge: 'gauge',
  gaugehistogram: 'gauge',
  info: 'gauge',
  stateset: 'gauge',
  unknown: 'unknown type',
  mixed: 'mixed types',
};

/** The series of a batch that have a native histogram in it. */
function histogramSeries({ histograms, seriesOf }: Batch): ReadonlySet<number> {
  const found = new Set<number>();
  if (histograms === undefined) return found;
  for (let row = 0; row < seriesOf.length; row++) if (isHistogramAt(histograms, row)) found.add(seriesOf[row]!);
  return found;
}
