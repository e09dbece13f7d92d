import { setImmediate } from 'node:timers/promises';
import { ComityError } from '../base/errors.ts';
import { readSeries, type EvalContext } from '../engine/context.ts';
import { startNotes } from '../engine/notes.ts';
import { look, spend, startUsage, usedOf, type Usage } from '../engine/usage.ts';
import { aggregateGroups, evaluate } from '../engine/evaluate.ts';
import { copyHistograms } from '../engine/select/histogram-rows.ts';
import { timedRows } from '../engine/select/timed-rows.ts';
import { assertCells } from '../engine/rows.ts';
import type { Metadata, SeriesExemplars } from '../model/batch.ts';
import { instantGrid } from '../model/grid.ts';
import { labelsKey, labelValue, METRIC_NAME, type Labels } from '../model/labels.ts';
import { shareRegexMeter, startRegexMeter, type Matcher } from '../model/matcher.ts';
import type { Source } from '../model/source.ts';
import { streamKey, streamOf, type Stream } from '../model/stream.ts';
import { bothPolicies } from '../policy/both-policies.ts';
import { openPolicy, type Policy, type PolicyTexts } from '../policy/document.ts';
import { listedTest } from '../policy/listed-metrics.ts';
import type { ReadSize } from '../store/read-size.ts';
import { exemplarsOf, familyTest, wholeSeriesTest } from '../policy/whole-series.ts';
import { guarded } from './guard.ts';
import { shardRow } from './shard-row.ts';
import type {
  EstimateAnswer,
  EstimateQuestion,
  LabelsQuestion,
  SeriesQuestion,
  SeriesRead,
  ShardFragment,
  ShardReader,
  ShardRow,
  Stoppable,
} from './shard.ts';

/** What a shard reads from: samples, and what is known beside them. A store is one. */
export interface ShardSource extends Source {
  metadata(): Iterable<Metadata>;
  /** How much `select` would find. */
  size(matchers: readonly Matcher[], fromMs: number, toMs: number): ReadSize;
  /** The exemplars in [fromMs, toMs] of the series that satisfy all matchers, oldest first. */
  exemplars(matchers: readonly Matcher[], fromMs: number, toMs: number): Iterable<SeriesExemplars>;
}

/** A shard of this thread. */
export interface LocalShard extends ShardReader {
  readonly quick: QuickAnswers;
  /** From here on nothing is read for those outside the domain that any of these keeps back. */
  applyPolicies(policies: readonly PolicyTexts[]): void;
}

/** What is looked up in the index alone, and answered at once: in the middle of a query as well, by whoever takes its turn. */
export interface QuickAnswers {
  estimate(question: EstimateQuestion): EstimateAnswer;
  kinds(question: SeriesQuestion): readonly Labels[];
}

/** What a shard must know beside its data, as plain values that can go to another thread. */
export interface ShardOptions {
  /** The domain's policies, of which each can keep back. Without any nothing is read that may leave the domain. */
  readonly policies?: readonly PolicyTexts[] | undefined;
}

/**
 * Reads a shard in this thread: each fragment in one go, with a turn for others of the thread in between. `turn` lets those
 * who cannot wait in even while a fragment is evaluated (see `UsageOptions`).
 */
export function localShard(
  source: ShardSource,
  options: ShardOptions & { readonly turn?: (() => void) | undefined } = {},
): LocalShard {
  const { turn } = options;
  let policy = strictest(options.policies ?? []);

  function policyForRelease(): Policy {
    if (policy === undefined) throw new ComityError('refused', 'this shard knows no policy, so nothing may leave it');
    return policy;
  }

  function usageOf({ deadlineMs, cancelled }: Stoppable): Usage {
    return startUsage(deadlineMs, { cancelled, turn });
  }

  /** The label sets that a question means; one that satisfies several selectors comes several times. */
  function* selected(question: SeriesQuestion): Iterable<Labels> {
    const { selectors, fromMs, toMs } = question;
    const usage = usageOf(question);
    for (const matchers of selectors.length === 0 ? [[]] : selectors) {
      for (const labels of source.series(matchers, fromMs, toMs)) {
        spend(usage, LABELS_WORK);
        yield labels;
      }
    }
  }

  function kinds(question: SeriesQuestion): readonly Labels[] {
    const found = new Map<string, Labels>();
    for (const labels of selected(question)) {
      const kind = kindOf(labels);
      if (!found.has(kind)) found.set(kind, labels);
    }
    return [...found.values()];
  }

  function estimate(question: EstimateQuestion): EstimateAnswer {
    const { reads, regexWork } = question;
    const usage = usageOf(question);
    const meter = startRegexMeter();
    meter.work = regexWork;
    const sizes = reads.map(({ matchers, fromMs, toMs }) => {
      look(usage);
      // Copies, so that what is worked out before does not count against the evaluation.
      const metered = matchers.map((matcher) => ({ ...matcher }));
      for (const matcher of metered) shareRegexMeter(matcher, meter);
      return source.size(metered, fromMs, toMs);
    });
    return { sizes, regexWork: meter.work };
  }

  return {
    async run({ fragments, lookbackMs, features, scope, releases, spent, ...stoppable }) {
      const usage = startUsage(stoppable.deadlineMs, { cancelled: stoppable.cancelled, turn, spent });
      const read = releases ? guarded(source, policyForRelease()) : source;
      const notes = startNotes();
      const ctx = { lookbackMs, source: read, merged: [], usage, features, notes, scope };
      const answers: (readonly ShardRow[])[] = [];
      for (const [i, fragment] of fragments.entries()) {
        if (i > 0) await setImmediate();
        answers.push(fragmentRows(fragment, ctx));
      }
      return { fragments: answers, notes: notes.list(), spent: { ...spent, ...usedOf(usage) } };
    },
    async series(question) {
      const mayLeave = question.releases ? wholeSeriesTest(policyForRelease()) : () => true;
      const found = new Map<string, Labels>();
      for (const labels of selected(question)) {
        if (found.size >= question.limit) break;
        if (mayLeave(labels)) found.set(labelsKey(labels), labels);
      }
      return [...found.values()];
    },
    async labels(question) {
      const found = foundLabels(question, selected(question), question.releases ? policyForRelease() : undefined);
      return [...found].sort().slice(0, question.limit);
    },
    kinds: async (question) => kinds(question),
    estimate: async (question) => estimate(question),
    quick: { estimate, kinds },
    applyPolicies(policies) {
      policy = strictest(policies);
    },
    async producers(question) {
      const found = new Map<string, Stream>();
      for (const labels of selected(question)) {
        const stream = streamOf(labels);
        const key = streamKey(stream);
        if (!found.has(key)) found.set(key, stream);
      }
      return [...found.values()];
    },
    async exemplars(question) {
      const { selectors, fromMs, toMs } = question;
      const usage = usageOf(question);
      const releasable = question.releases ? exemplarsOf(policyForRelease()) : (series: SeriesExemplars) => series;
      const found = new Map<string, SeriesExemplars>();
      for (const matchers of selectors) {
        for (const series of source.exemplars(matchers, fromMs, toMs)) {
          spend(usage, LABELS_WORK);
          const kept = releasable(series);
          if (kept !== undefined) found.set(labelsKey(kept.labels), kept);
        }
      }
      return [...found.values()];
    },
    async metadata({ releases }) {
      const all = [...source.metadata()];
      return releases ? all.filter(familyTest(policyForRelease())) : all;
    },
  };
}

/** What all of some policies let out; undefined where there is none. Throws `bad_config` for one that cannot be read. */
function strictest(policies: readonly PolicyTexts[]): Policy | undefined {
  return policies.map(openPolicy).reduce<Policy | undefined>((all, one) => {
    return all === undefined ? one : bothPolicies(all, one);
  }, undefined);
}

/** What it takes to look at a label set, in cells. */
const LABELS_WORK = 128;

function fragmentRows(fragment: ShardFragment, ctx: Omit<EvalContext, 'grid'>): readonly ShardRow[] {
  if (fragment.answer === 'series') return storedRows(fragment, ctx);
  const { grid } = fragment;
  if (fragment.answer === 'partial' || fragment.answer === 'sketch') {
    return aggregateGroups(fragment, { ...ctx, grid }).list();
  }
  if (fragment.answer === 'timed') return timedRows(fragment.expr, { ...ctx, grid }).map(shardRow);
  const value = evaluate(fragment.expr, { ...ctx, grid });
  if (value.kind !== 'vector') throw new ComityError('unsupported', 'unsupported: a fragment must be a vector');
  return value.rows.map(shardRow);
}

function storedRows({ matchers, fromMs, toMs }: SeriesRead, ctx: Omit<EvalContext, 'grid'>): ShardRow[] {
  const rows: ShardRow[] = [];
  let cells = 0;
  const read = readSeries(matchers, fromMs, toMs, { ...ctx, grid: instantGrid(toMs) });
  for (const { labels, times, values, histograms, startTimes } of read) {
    if (times.length === 0) continue;
    const present = new Uint8Array(times.length).fill(1);
    const kept = copyHistograms(present, histograms);
    cells += 3 * times.length + (kept?.cells.length ?? 0);
    assertCells(cells);
    const starts = startTimes instanceof Float64Array ? startTimes.slice() : times.map(() => startTimes ?? 0);
    rows.push({ labels, columns: { present, fields: [times.slice(), values.slice(), starts] }, histograms: kept });
  }
  return rows;
}

function foundLabels(
  { name }: LabelsQuestion,
  series: Iterable<Labels>,
  policy: Policy | undefined,
): ReadonlySet<string> {
  const isListed = policy === undefined ? () => true : listedTest(name, policy);
  const permits = (label: string): boolean => policy === undefined || policy.permitsLabel(label);
  const found = new Set<string>();
  if (name !== '' && !permits(name)) return found;
  for (const labels of series) {
    if (!isListed(labelValue(labels, METRIC_NAME))) continue;
    if (name === '') {
      for (let i = 0; i < labels.length; i += 2) if (permits(labels[i]!)) found.add(labels[i]!);
    } else {
      const value = labelValue(labels, name);
      if (value !== '') found.add(value);
    }
  }
  return found;
}

/** The metric's name and the names of the labels, quoted so that no name can pass for two. */
function kindOf(labels: Labels): string {
  let kind = JSON.stringify(labelValue(labels, METRIC_NAME));
  for (let i = 0; i < labels.length; i += 2) kind += JSON.stringify(labels[i]);
  return kind;
}
