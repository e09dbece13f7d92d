import type { FragmentRecord, Leaf, ReleaseLeaf } from '../ledger/leaf.ts';

/** Which leaves, and which of their fragments. */
export interface LeafFilter {
  readonly kind?: Leaf['kind'];
  readonly what?: string;
  readonly decision?: FragmentRecord['decision'];
  readonly metric?: string;
  readonly destination?: string;
  readonly consumer?: string;
}

/** What sums are made by. The first ones belong to a leaf, the others to its fragments. */
export const SUM_FIELDS = [
  'kind',
  'what',
  'destination',
  'consumer',
  'policy',
  'day',
  'metric',
  'decision',
  'reason',
  'class',
  'dimensions',
] as const;
export type SumField = (typeof SUM_FIELDS)[number];

/** One group of a sum, with the fields that it is by. */
export type Sum = Partial<Record<SumField, string>> & {
  readonly answers: number;
  readonly fragments: number;
  readonly bytes: number;
};

/** The fragments of a leaf that fit, none of a leaf that has none; undefined where the leaf does not fit. */
export type Fitting = (leaf: Leaf) => readonly FragmentRecord[] | undefined;

export function leafFilter(filter: LeafFilter & { readonly fromMs: number; readonly toMs: number }): Fitting {
  const { kind, what, decision, metric, destination, consumer, fromMs, toMs } = filter;
  const isOfReleases = [what, decision, metric, destination, consumer].some((one) => one !== undefined);
  return (leaf) => {
    const ms = Date.parse(leaf.kind === 'redaction' ? leaf.to : leaf.minute);
    if (ms < fromMs || ms >= toMs || (kind !== undefined && leaf.kind !== kind)) return undefined;
    if (leaf.kind !== 'release') return isOfReleases ? undefined : [];
    if (what !== undefined && leaf.what !== what) return undefined;
    if (destination !== undefined && leaf.destination !== destination) return undefined;
    if (consumer !== undefined && leaf.consumer !== consumer) return undefined;
    const fragments = leaf.fragments.filter(
      (one) =>
        (decision === undefined || one.decision === decision) && (metric === undefined || one.metrics.includes(metric)),
    );
    if (fragments.length > 0) return fragments;
    // What has no fragments at all, such as an error, is decided as a whole.
    const fits = leaf.fragments.length === 0 && metric === undefined;
    return fits && (decision === undefined || leaf.decision === decision) ? [] : undefined;
  };
}

/** Sums over leaves, largest bytes first. An answer counts once in each group, with all of its bytes. */
export function sumLeaves(
  entries: Iterable<{ readonly leaf: Leaf }>,
  filter: Fitting,
  fields: readonly SumField[],
): readonly Sum[] {
  const sums = new Map<
    string,
    { by: Partial<Record<SumField, string>>; answers: number; fragments: number; bytes: number }
  >();
  for (const { leaf } of entries) {
    const fragments = filter(leaf);
    // What is no answer counts only where leaves are told apart by what they are.
    if (fragments === undefined || (leaf.kind !== 'release' && !fields.includes('kind'))) continue;
    const { bytes, times = 1 } = leaf.kind === 'release' ? leaf : { bytes: 0, times: 1 };
    const counted = new Set<string>();
    const add = (fragment: FragmentRecord | undefined, metric: string | undefined): void => {
      const by = Object.fromEntries(fields.map((field) => [field, valueOf(field, leaf, fragment, metric)]));
      const key = JSON.stringify(by);
      let sum = sums.get(key);
      if (sum === undefined) sums.set(key, (sum = { by, answers: 0, fragments: 0, bytes: 0 }));
      if (fragment !== undefined) sum.fragments++;
      if (counted.has(key)) return;
      counted.add(key);
      sum.answers += times;
      sum.bytes += bytes * times;
    };
    if (fragments.length === 0) add(undefined, undefined);
    for (const fragment of fragments) {
      if (!fields.includes('metric') || fragment.metrics.length === 0) add(fragment, undefined);
      else for (const metric of fragment.metrics) add(fragment, metric);
    }
  }
  return [...sums.values()].map(({ by, ...sum }) => ({ ...by, ...sum })).toSorted((a, b) => b.bytes - a.bytes);
}

function valueOf(
  field: SumField,
  leaf: Leaf,
  fragment: FragmentRecord | undefined,
  metric: string | undefined,
): string {
  const release: Partial<ReleaseLeaf> = leaf.kind === 'release' ? leaf : {};
  switch (field) {
    case 'kind':
      return leaf.kind;
    case 'day':
      return (leaf.kind === 'redaction' ? leaf.to : leaf.minute).slice(0, 'YYYY-MM-DD'.length);
    case 'what':
    case 'destination':
    case 'consumer':
    case 'policy':
      return release[field] ?? '';
    case 'decision':
      return fragment?.decision ?? release.decision ?? '';
    case 'metric':
      return metric ?? '';
    case 'reason':
    case 'class':
      return fragment?.[field] ?? '';
    case 'dimensions':
      return fragment?.dimensions.join(',') ?? '';
  }
}
