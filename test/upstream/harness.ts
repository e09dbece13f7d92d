import { pino } from 'pino';
import { labelsKey } from '../../src/model/labels.ts';
import { labelsOf } from '../../src/model/labels.ts';
import type { SeriesColumns } from '../../src/model/series.ts';
import { NO_FEATURES, type PromqlFeatures } from '../../src/promql/features.ts';
import type { Fragment } from '../../src/plan/distribute.ts';
import { openUpstream, type SourceConfig, type Upstream } from '../../src/upstream/upstream.ts';
import { AT_MS } from './fragments.ts';

const OPEN_POLICY =
  "version: 1\ndomain: eu\nlabels: {permit: ['*']}\nmetrics: [{match: '*', class: open}]\ndefault_class: open\n";

const NOTHING_SPENT = { series: 0, cells: 0, samples: 0, regexWork: 0 };

export function openTestUpstream(source: SourceConfig, policyText = OPEN_POLICY): Upstream {
  const log = pino({ level: 'silent' });
  const policies = [
    { layers: [{ layer: 'local' as const, source: 'test', text: policyText }], domain: 'eu', domainLabel: 'domain' },
  ];
  return openUpstream({ ...source, policies, domain: 'eu', domainLabel: 'domain', log, pollMs: 100 });
}

export interface Answered {
  /** By label set as JSON, the first field at each step: null where nothing is. */
  readonly rows: Readonly<Record<string, readonly (number | null)[]>>;
  readonly notes: readonly { readonly code: string; readonly start: number }[];
  readonly way: 'pushed' | 'read';
}

/** Asks a fragment and says which way it was answered. */
export async function answerOf(
  upstream: Upstream,
  fragment: Fragment,
  options: { readonly features?: PromqlFeatures; readonly deadlineMs?: number; readonly signal?: AbortSignal } = {},
): Promise<Answered> {
  const before = upstream.counts.pushed;
  const { features = NO_FEATURES, deadlineMs = Date.now() + 20_000, signal = new AbortController().signal } = options;
  const question = { fragment, lookbackMs: 300_000, features, deadlineMs, spent: NOTHING_SPENT };
  const { rows, notes } = await upstream.fragment(question, signal);
  const entries = rows.map(({ labels, columns: { present, fields } }) => {
    const values = [...present].map((bit, step) => (bit === 1 ? (fields[0]?.[step] ?? 1) : null));
    return [labelsKey(labels), values] as const;
  });
  return {
    rows: Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1))),
    notes: notes.map(({ code, span }) => ({ code, start: span.start })),
    way: upstream.counts.pushed > before ? 'pushed' : 'read',
  };
}

/** Samples a minute apart, the last one at `AT_MS`. */
export function minutely(labels: Readonly<Record<string, string>>, values: readonly number[]): SeriesColumns {
  const times = Float64Array.from(values, (_value, i) => AT_MS - (values.length - 1 - i) * 60_000);
  return { labels: labelsOf(labels), times, values: Float64Array.from(values) };
}

export function keyOf(labels: Readonly<Record<string, string>>): string {
  return labelsKey(labelsOf(labels));
}
