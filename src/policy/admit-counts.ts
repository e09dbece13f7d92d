/**
 * Where the words came from. `attribute`: of a span, its events, links and scope, and of resources. `span`: what else a span
 * says, such as its name. `name`: of a metric, a label or a key. `metadata`: the help and unit of a family.
 */
export type AdmitPlace = 'series' | 'exemplar' | 'attribute' | 'span' | 'name' | 'metadata';

/** What became of a value: stored as it is, as a pseudonym, as `__other__`, or not at all. */
export type AdmitAction = 'kept' | 'pseudonym' | 'other' | 'dropped';

/** How many values met one decision since the start. All texts are from fixed lists, none is a sender's. */
export interface AdmitCount {
  readonly place: AdmitPlace;
  /** The entry of the table of attributes or labels that fits, such as `url.full` or `geo.*`. */
  readonly rule: string;
  /** The class by the table, or the check that a public value did not pass. */
  readonly reason: string;
  readonly action: AdmitAction;
  count: number;
}

/** Counters that cost an addition each: callers keep the one that they add to. */
export interface AdmitCounts {
  of(place: AdmitPlace, rule: string, reason: string, action: AdmitAction): AdmitCount;
  all(): readonly Readonly<AdmitCount>[];
}

export function admitCounts(): AdmitCounts {
  const counts = new Map<string, AdmitCount>();
  return {
    of(place, rule, reason, action) {
      const key = `${place}\n${rule}\n${reason}\n${action}`;
      let count = counts.get(key);
      if (count === undefined) counts.set(key, (count = { place, rule, reason, action, count: 0 }));
      return count;
    },
    all: () => [...counts.values()].filter(({ count }) => count > 0),
  };
}
