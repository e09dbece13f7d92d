import { LIMITS } from '../../base/limits.ts';
import { METRIC_NAME, type Labels } from '../../model/labels.ts';
import { compareCodePoints, valueText } from './any-value.ts';
import type { KeyValue } from './messages.ts';
import { labelName } from './names.ts';
import { isTooLong, quoted } from '../sender-text.ts';
import type { PointRejectReason } from './rejections.ts';

/** What a resource gives to each of its series. */
export interface ResourceLabels {
  readonly job: string;
  readonly instance: string;
  readonly promoted: ReadonlyMap<string, string>;
  readonly domain: string;
  readonly domainLabel: string;
}

/** Told why labels could not be made. */
export type Reject = (reason: PointRejectReason, detail: string) => void;

const NONE: ReadonlySet<string> = new Set();

/**
 * The labels that attributes make on a series of a resource, without the metric name; room is kept for `spare` more.
 * Keys that become the same name are joined with `;` in the order of their keys; those in `ignored` are left out.
 * Undefined after a rejection.
 */
export function seriesLabels(
  attributes: readonly KeyValue[],
  resource: ResourceLabels,
  spare: number,
  reject: Reject,
  ignored: ReadonlySet<string> = NONE,
): Labels | undefined {
  const labels: string[] = [];
  for (const { key, value } of sortedByKey(attributes)) {
    if (ignored.has(key)) continue;
    const name = key.length > LIMITS.labelBytes ? undefined : labelName(key);
    if (name === undefined) {
      reject('bad_label_name', `the attribute ${quoted(key)} makes no label name`);
      return undefined;
    }
    // Whatever the key was: only the metric's own name can be that.
    if (name === METRIC_NAME) continue;
    const text = valueText(value);
    const at = positionOf(labels, name);
    if (labels[at] === name) labels[at + 1] = `${labels[at + 1]};${text}`;
    else if (text !== '') labels.splice(at, 0, name, text);
    // Told at once: a point may have a hundred thousand attributes.
    if (isTooMany(labels, spare, reject)) return undefined;
  }
  for (const [name, value] of resource.promoted) {
    const at = positionOf(labels, name);
    if (labels[at] !== name && name !== METRIC_NAME && value !== '') labels.splice(at, 0, name, value);
  }
  if (resource.job !== '') put(labels, 'job', resource.job);
  if (resource.instance !== '') put(labels, 'instance', resource.instance);
  putDomain(labels, resource);
  if (isTooMany(labels, spare, reject)) return undefined;
  for (let i = 0; i < labels.length; i += 2) {
    if (isTooLong(labels[i + 1]!) || labels[i]!.length > LIMITS.labelBytes) {
      reject('label_too_long', `the label ${quoted(labels[i]!)} is longer than ${LIMITS.labelBytes} bytes`);
      return undefined;
    }
  }
  return labels;
}

/** `labels`, which have no metric name, with a metric name and at most one more label, in order. */
export function namedLabels(labels: Labels, metric: string, name = '', value = ''): Labels {
  const out: string[] = [];
  let named = false;
  let added = name === '';
  for (let i = 0; i < labels.length; i += 2) {
    const next = labels[i]!;
    if (!named && next > METRIC_NAME) {
      out.push(METRIC_NAME, metric);
      named = true;
    }
    if (!added && next >= name) {
      out.push(name, value);
      added = true;
      if (next === name) continue;
    }
    out.push(next, labels[i + 1]!);
  }
  if (!named) out.push(METRIC_NAME, metric);
  if (!added) out.push(name, value);
  return out;
}

function sortedByKey(attributes: readonly KeyValue[]): readonly KeyValue[] {
  for (let i = 1; i < attributes.length; i++) {
    if (compareCodePoints(attributes[i - 1]!.key, attributes[i]!.key) > 0) {
      return attributes.toSorted((a, b) => compareCodePoints(a.key, b.key));
    }
  }
  return attributes;
}

/** Where `name` is in a sorted label set, or where it belongs. From the end: names mostly come in order. */
function positionOf(labels: readonly string[], name: string): number {
  let at = labels.length;
  while (at > 0 && labels[at - 2]! >= name) at -= 2;
  return at;
}

function put(labels: string[], name: string, value: string): void {
  const at = positionOf(labels, name);
  if (labels[at] === name) labels[at + 1] = value;
  else labels.splice(at, 0, name, value);
}

function putDomain(labels: string[], resource: ResourceLabels): void {
  const { domain, domainLabel } = resource;
  const at = positionOf(labels, domainLabel);
  if (labels[at] === domainLabel) {
    const own = labels[at + 1]!;
    let free = `exported_${domainLabel}`;
    while (labels[positionOf(labels, free)] === free) free = `exported_${free}`;
    put(labels, free, own);
  }
  put(labels, domainLabel, domain);
}

function isTooMany(labels: readonly string[], spare: number, reject: Reject): boolean {
  const count = labels.length / 2 + spare;
  if (count <= LIMITS.labelsPerSeries) return false;
  reject('too_many_labels', `${count} labels or more, the limit is ${LIMITS.labelsPerSeries}`);
  return true;
}
