/** Why something of a request was left out. The rest of the request is kept. */
export type LeftOutReason =
  | 'bad_metric_name'
  | 'bad_label'
  | 'duplicate_label'
  | 'label_too_long'
  | 'too_many_labels'
  | 'no_samples'
  | 'bad_timestamp'
  | 'bad_histogram'
  | 'bad_exemplar';

/** What was left out of a request before it reached the store. */
export interface LeftOut {
  /** Samples and native histograms. */
  readonly points: number;
  readonly exemplars: number;
  readonly reasons: ReadonlyMap<LeftOutReason, LeftOutCase>;
}

export interface LeftOutCase {
  /** Points, for `bad_exemplar` exemplars; 0 for a fault that cost none, such as a series without samples. */
  readonly count: number;
  /** The first case, for people. */
  readonly first: string;
}

/** Collects what is left out; only the first case of each reason is kept in words. */
export interface Rejections {
  points(reason: LeftOutReason, detail: string, count: number): void;
  exemplar(detail: string): void;
  build(): LeftOut;
}

export function rejections(): Rejections {
  const reasons = new Map<LeftOutReason, LeftOutCase>();
  let pointCount = 0;
  let exemplarCount = 0;

  function add(reason: LeftOutReason, detail: string, count: number): void {
    const before = reasons.get(reason);
    reasons.set(reason, { count: (before?.count ?? 0) + count, first: before?.first ?? detail });
  }

  return {
    points(reason, detail, count) {
      pointCount += count;
      add(reason, detail, count);
    },
    exemplar(detail) {
      exemplarCount++;
      add('bad_exemplar', detail, 1);
    },
    build: () => ({ points: pointCount, exemplars: exemplarCount, reasons }),
  };
}
