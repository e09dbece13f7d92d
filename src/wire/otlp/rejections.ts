/** Why a data point or span was not taken. The rest of its request is. */
export type PointRejectReason =
  | 'bad_temporality'
  | 'bad_metric_name'
  | 'bad_label_name'
  | 'bad_histogram'
  | 'bad_span'
  | 'label_too_long'
  | 'too_many_labels'
  | 'no_timestamp'
  | 'no_value'
  | 'no_service'
  | 'too_far_in_future';

/** What was left out of a request, for the partial success of its reply. */
export interface Rejected {
  /** Data points or spans. */
  readonly count: number;
  /** For people: each reason with its count and its first case; empty when there is nothing to say. */
  readonly message: string;
  readonly reasons: ReadonlyMap<PointRejectReason, number>;
}

/** Collects rejections. Only the first case of each reason is kept, so the message stays short. */
export interface Rejections {
  add(reason: PointRejectReason, detail: string, count?: number): void;
  /** Something to tell the sender that cost no point. Only the first is kept. */
  warn(text: string): void;
  build(): Rejected;
}

export function rejections(): Rejections {
  const reasons = new Map<PointRejectReason, number>();
  const details = new Map<PointRejectReason, string>();
  let count = 0;
  let warning: string | undefined;
  return {
    add(reason, detail, more = 1) {
      count += more;
      const before = reasons.get(reason);
      if (before === undefined) details.set(reason, detail);
      reasons.set(reason, (before ?? 0) + more);
    },
    warn(text) {
      warning ??= text;
    },
    build() {
      const parts = [...reasons].map(([reason, n]) => `${n} ${reason} (first: ${details.get(reason)})`);
      if (warning !== undefined) parts.push(warning);
      return { count, message: parts.join('; '), reasons };
    },
  };
}
