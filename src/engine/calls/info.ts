import { ComityError } from '../../base/errors.ts';
import { compareLabels, labelsText, labelValue, METRIC_NAME, withLabel, type Labels } from '../../model/labels.ts';
import { matcherTest, type Matcher } from '../../model/matcher.ts';
import type { Call } from '../../promql/ast.ts';
import type { Evaluation } from '../evaluation.ts';
import { infoMatchers, infoSelector } from './info-selector.ts';
import { mergeEqualRows, type Row, type RowSink } from '../rows.ts';
import { timedRows } from '../select/timed-rows.ts';
import { spend } from '../usage.ts';

/**
 * info(): adds to each series the labels of the info metrics that have the same `job` and `instance`
 * (https://prometheus.io/docs/prometheus/latest/querying/functions/#info). Of several series of one info metric the one with
 * the newest sample counts. Throws `execution` where two of them or two metrics contradict each other.
 */
export function infoRows(node: Call, evaluation: Evaluation, sink: RowSink): void {
  const { names, data } = infoMatchers(node.args[1]);
  const rows = evaluation.collect(node.args[0]!);
  const isInfo = rows.map(({ labels }) => matchesAll(names, labels, METRIC_NAME));
  const base = rows.filter((_row, i) => isInfo[i] === false);
  const infos = infosOf(base, readInfos(node, base, evaluation), anyStep(rows, evaluation.grid.steps), evaluation);
  const wanted = new Set(data.map(({ name }) => name));
  const mayBeMissing = data.every((matcher) => matcherTest(matcher)(''));
  const merged = mergeEqualRows(false, evaluation.usage);
  rows.forEach((row, i) => {
    spend(evaluation.usage, row.values.length);
    if (isInfo[i] === true) return merged.sink(row);
    for (const { chosen, present } of choices(row, infos.get(identityOf(row.labels)) ?? [])) {
      if (chosen.length === 0 && !mayBeMissing) continue;
      merged.sink({ ...row, labels: withInfo(row.labels, chosen, wanted), present });
    }
  });
  merged.drain(sink);
}

interface InfoSeries {
  readonly labels: Labels;
  readonly present: Uint8Array;
  /** When the sample of each step was taken, in ms. */
  readonly times: Float64Array;
}

/** The series of one info metric that count for one identity. */
interface InfoMetric {
  readonly series: readonly InfoSeries[];
  /** The index of the series that counts at each step; -1 where none is present. */
  readonly newest: Int32Array;
}

function matchesAll(matchers: readonly Matcher[], labels: Labels, name: string): boolean {
  return matchers.every((matcher) => matcherTest(matcher)(labelValue(labels, name)));
}

/** Whether any of the rows is present, by step. */
function anyStep(rows: readonly Row[], steps: number): Uint8Array {
  const any = new Uint8Array(steps);
  for (const { present } of rows) for (let step = 0; step < steps; step++) any[step]! |= present[step]!;
  return any;
}

/** What a series and its info have in common. */
function identityOf(labels: Labels): string {
  return JSON.stringify([labelValue(labels, 'job'), labelValue(labels, 'instance')]);
}

/**
 * The info series for these rows. As in Prometheus, which asks for jobs and instances on their own, there are more of them
 * than have a row, and what is wrong with those is an error too.
 */
function readInfos(node: Call, rows: readonly Row[], evaluation: Evaluation): InfoSeries[] {
  const isWanted = wantedIdentities(rows);
  const infos: InfoSeries[] = [];
  for (const { labels, present, values } of timesOfInfos(node, evaluation)) {
    if (isWanted?.(labels) !== true) continue;
    if (values.some((timeMs, step) => present[step] === 1 && Number.isNaN(timeMs))) {
      throw failure(`this should be an info metric, with float samples: ${labelsText(labels)}`);
    }
    infos.push({ labels, present, times: values });
  }
  return infos.sort((a, b) => compareLabels(a.labels, b.labels));
}

/** The sample times of the info series, see `timedRows`; a planner may have fetched them from where they are. */
function timesOfInfos(node: Call, evaluation: Evaluation): readonly Row[] {
  const fetched = node.args[1];
  return fetched?.kind === 'merged' ? evaluation.collect(fetched) : timedRows(infoSelector(node), evaluation);
}

/** Rows that have both labels, only a job, and only an instance ask each for their own; undefined when none has any. */
function wantedIdentities(rows: readonly Row[]): ((labels: Labels) => boolean) | undefined {
  const byKind = new Map<string, { readonly jobs: Set<string>; readonly instances: Set<string> }>();
  const kindOf = (job: string, instance: string): string => `${job !== ''} ${instance !== ''}`;
  for (const { labels } of rows) {
    const job = labelValue(labels, 'job');
    const instance = labelValue(labels, 'instance');
    if (job === '' && instance === '') continue;
    const kind = kindOf(job, instance);
    const wanted = byKind.get(kind) ?? { jobs: new Set(), instances: new Set() };
    byKind.set(kind, wanted);
    wanted.jobs.add(job);
    wanted.instances.add(instance);
  }
  if (byKind.size === 0) return undefined;
  return (labels) => {
    const job = labelValue(labels, 'job');
    const instance = labelValue(labels, 'instance');
    const wanted = byKind.get(kindOf(job, instance));
    return wanted !== undefined && wanted.jobs.has(job) && wanted.instances.has(instance);
  };
}

/** The info metrics by identity; `counts`: the steps that anything depends on. */
function infosOf(
  base: readonly Row[],
  all: readonly InfoSeries[],
  counts: Uint8Array,
  { usage }: Evaluation,
): ReadonlyMap<string, readonly InfoMetric[]> {
  const byIdentity = new Map<string, Map<string, InfoSeries[]>>();
  for (const one of all) {
    const identity = identityOf(one.labels);
    const byName = byIdentity.get(identity) ?? new Map<string, InfoSeries[]>();
    byIdentity.set(identity, byName);
    const name = labelValue(one.labels, METRIC_NAME);
    byName.set(name, [...(byName.get(name) ?? []), one]);
  }
  const metrics = new Map<string, InfoMetric[]>();
  for (const [identity, byName] of byIdentity) {
    spend(usage, counts.length * byName.size);
    metrics.set(
      identity,
      [...byName.values()].map((series) => ({ series, newest: newestOf(series, counts) })),
    );
  }
  return metrics;
}

function newestOf(series: readonly InfoSeries[], counts: Uint8Array): Int32Array {
  const newest = new Int32Array(counts.length).fill(-1);
  series.forEach(({ labels, present, times }, index) => {
    for (let step = 0; step < counts.length; step++) {
      if (present[step] === 0 || counts[step] === 0) continue;
      const before = newest[step]!;
      const difference = before < 0 ? 1 : times[step]! - series[before]!.times[step]!;
      if (difference > 0) newest[step] = index;
      if (difference !== 0) continue;
      const existing = `existing ${labelsText(series[before]!.labels)} @ ${times[step]}`;
      throw failure(`found duplicate series for info metric: ${existing}, new ${labelsText(labels)} @ ${times[step]}`);
    }
  });
  return newest;
}

/** The info series that count for a row, with the steps at which it is these. */
function choices(
  row: Row,
  metrics: readonly InfoMetric[],
): Iterable<{ readonly chosen: readonly InfoSeries[]; readonly present: Uint8Array }> {
  const found = new Map<string, { readonly chosen: readonly InfoSeries[]; readonly present: Uint8Array }>();
  if (metrics.length === 0) return [{ chosen: [], present: row.present }];
  for (let step = 0; step < row.present.length; step++) {
    if (row.present[step] === 0) continue;
    const key = metrics.map(({ newest }) => newest[step]).join();
    let choice = found.get(key);
    if (choice === undefined) {
      const chosen = metrics.flatMap(({ series, newest }) => series[newest[step]!] ?? []);
      choice = { chosen, present: new Uint8Array(row.present.length) };
      found.set(key, choice);
    }
    choice.present[step] = 1;
  }
  return found.values();
}

/** Labels of the row are never changed; `wanted` are those that may be added, all when it is empty. */
function withInfo(labels: Labels, chosen: readonly InfoSeries[], wanted: ReadonlySet<string>): Labels {
  const own = new Set(labels.filter((_part, i) => i % 2 === 0));
  const added = new Map<string, string>();
  for (const info of chosen) {
    for (let i = 0; i < info.labels.length; i += 2) {
      const name = info.labels[i]!;
      const value = info.labels[i + 1]!;
      if (name === METRIC_NAME || own.has(name) || (wanted.size > 0 && !wanted.has(name))) continue;
      const before = added.get(name);
      if (before !== undefined && before !== value) throw failure(`conflicting label: ${name}`);
      added.set(name, value);
    }
  }
  let result = labels;
  for (const [name, value] of added) result = withLabel(result, name, value);
  return result;
}

function failure(message: string): ComityError {
  return new ComityError('execution', message);
}
