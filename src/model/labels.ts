/**
 * A label set as a flat, frozen-by-convention array `[name, value, name, value, …]`, sorted by name, with no empty
 * value (Prometheus treats an empty label as absent). Flat arrays keep a label set in one allocation.
 */
export type Labels = readonly string[];

export const METRIC_NAME = '__name__';

/** Builds a label set from pairs in any order; empty values are left out. The last of equal names wins. */
export function labelsFrom(pairs: Iterable<readonly [string, string]>): Labels {
  const map = new Map<string, string>();
  for (const [name, value] of pairs) map.set(name, value);
  const names = [...map.keys()].sort(compareNames);
  const out: string[] = [];
  for (const name of names) {
    const value = map.get(name)!;
    if (value !== '') out.push(name, value);
  }
  return out;
}

export function labelsOf(record: Readonly<Record<string, string>>): Labels {
  return labelsFrom(Object.entries(record));
}

export function labelsRecord(labels: Labels): Record<string, string> {
  const record: Record<string, string> = {};
  for (let i = 0; i < labels.length; i += 2) record[labels[i]!] = labels[i + 1]!;
  return record;
}

/** The value of a label, or the empty string when the set does not have it. */
export function labelValue(labels: Labels, name: string): string {
  for (let i = 0; i < labels.length; i += 2) if (labels[i] === name) return labels[i + 1]!;
  return '';
}

export function labelNames(labels: Labels): string[] {
  return labels.filter((_part, i) => i % 2 === 0);
}

/** A string that is equal for equal label sets only: quoting keeps any value from forging a separator. */
export function labelsKey(labels: Labels): string {
  return JSON.stringify(labels);
}

/** A label set as Prometheus writes it in its messages: `{__name__="name", label="value"}`. */
export function labelsText(labels: Labels): string {
  const pairs: string[] = [];
  for (let i = 0; i < labels.length; i += 2) {
    const name = labels[i]!;
    pairs.push(`${LABEL_NAME.test(name) ? name : JSON.stringify(name)}=${JSON.stringify(labels[i + 1])}`);
  }
  return `{${pairs.join(', ')}}`;
}

/** Names that stand without quotes. */
export const LABEL_NAME = /^[A-Za-z_]\w*$/;

/** The labels whose names are in `names`. */
export function keepLabels(labels: Labels, names: ReadonlySet<string>): Labels {
  return filterLabels(labels, (name) => names.has(name));
}

/** The labels whose names are not in `names`. */
export function dropLabels(labels: Labels, names: ReadonlySet<string>): Labels {
  return filterLabels(labels, (name) => !names.has(name));
}

/** What is known of a metric beside its name, where the labels tell it; goes wherever the name goes. */
export const METRIC_TYPE = '__type__';
const METRIC_UNIT = '__unit__';

export const METADATA_LABELS: ReadonlySet<string> = new Set([METRIC_NAME, METRIC_TYPE, METRIC_UNIT]);

/** The labels without the metric's name, type and unit. */
export function dropMetadataLabels(labels: Labels): Labels {
  // The name comes first but for label names that begin with a capital letter, and hardly a series has the others.
  const rest = labels[0] === METRIC_NAME ? labels.slice(2) : labels;
  const next = rest[0];
  return next === undefined || next > METRIC_UNIT ? rest : dropLabels(rest, METADATA_LABELS);
}

/** `labels` with one label set; an empty value removes it. */
export function withLabel(labels: Labels, name: string, value: string): Labels {
  let at = 0;
  while (at < labels.length && labels[at]! < name) at += 2;
  const replaced = labels[at] === name ? 2 : 0;
  return value === '' ? labels.toSpliced(at, replaced) : labels.toSpliced(at, replaced, name, value);
}

/**
 * `labels` with the domain label. A sender's own label of that name moves to `exported_<name>`, before which as many
 * `exported_` stand as it takes to be a new name, as Prometheus does with the labels of targets.
 */
export function withDomainLabel(labels: Labels, name: string, domain: string): Labels {
  const own = labelValue(labels, name);
  if (own === '') return withLabel(labels, name, domain);
  let free = `exported_${name}`;
  while (labelValue(labels, free) !== '') free = `exported_${free}`;
  return withLabel(withLabel(labels, free, own), name, domain);
}

/** Order of Prometheus: pair by pair, the shorter set first when one is a prefix of the other. */
export function compareLabels(a: Labels, b: Labels): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const order = compareNames(a[i]!, b[i]!);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function filterLabels(labels: Labels, keep: (name: string) => boolean): Labels {
  const out: string[] = [];
  for (let i = 0; i < labels.length; i += 2) {
    if (keep(labels[i]!)) out.push(labels[i]!, labels[i + 1]!);
  }
  return out;
}
