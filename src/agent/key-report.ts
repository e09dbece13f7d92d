import { ComityError } from '../base/errors.ts';
import { METRIC_NAME } from '../model/labels.ts';
import type { CountedAdmission } from '../policy/admit.ts';
import type { AttributeClass } from '../policy/attribute-table.ts';
import type { KeyInventory, SeenKey } from '../policy/key-inventory.ts';
import type { LabelClass } from '../policy/label-classes.ts';
import type { Queries } from '../shard/queries.ts';

/** What GET /keys answers: names and how much is behind them, never a value. */
export interface KeysAnswer {
  readonly domain: string;
  readonly domainLabel: string;
  /** Attributes of spans and exemplars that were seen since the agent started; of spans some are looked at. */
  readonly attributes: readonly AttributeKey[];
  /** Looks at attributes that there was no room for. */
  readonly attributesLeft: number;
  /** Labels of the series that are held, by name. */
  readonly labels: readonly LabelKey[];
  readonly labelsCut: boolean;
  /** Names of the metrics that are held. */
  readonly metrics: readonly string[];
  readonly metricsCut: boolean;
}

export interface AttributeKey extends SeenKey {
  readonly class: AttributeClass;
  /** The entry of the table that fits, or the policy's word; `unknown` where there is none. */
  readonly entry: string;
}

export interface LabelKey {
  readonly name: string;
  readonly class: LabelClass;
  /** The entry of a table that fits, or the policy's word; `unlisted` where there is none. */
  readonly entry: string;
  /** Distinct values, at most `LABEL_VALUES_MAX`. */
  readonly values: number;
}

/** Past so many values the exact number says nothing any more. */
export const LABEL_VALUES_MAX = 1_000;

const LABELS_MAX = 1_000;
const METRICS_MAX = 20_000;

/** For all questions together: somebody waits at a terminal. */
const DEADLINE_MS = 60_000;

export interface KeySources {
  readonly domain: string;
  readonly domainLabel: string;
  readonly queries: Pick<Queries, 'answer'>;
  readonly admission: Pick<CountedAdmission, 'attributeRule' | 'labelRule'>;
  readonly inventory: KeyInventory;
}

/** Fails as queries do, with `timeout` where there is more than can be told in a minute. */
export async function keyReport(sources: KeySources, signal: AbortSignal): Promise<KeysAnswer> {
  const { domain, domainLabel, queries, admission, inventory } = sources;
  const deadlineMs = Date.now() + DEADLINE_MS;

  async function names(name: string, limit: number): Promise<readonly string[]> {
    const question = {
      kind: 'names',
      name,
      limit,
      selectors: [],
      fromMs: -Infinity,
      toMs: Infinity,
      deadlineMs,
    } as const;
    const { envelope } = await queries.answer(question, signal);
    const answer = JSON.parse(Buffer.from(envelope).toString('utf8')) as { status: string; data?: readonly string[] };
    if (answer.data === undefined) throw new ComityError('execution', 'the store did not tell its names');
    return answer.data;
  }

  const found = await names('', LABELS_MAX + 1);
  const labels: LabelKey[] = [];
  for (const name of found.slice(0, LABELS_MAX)) {
    const { class: kind, entry } = admission.labelRule(name);
    const values = name === METRIC_NAME ? 0 : (await names(name, LABEL_VALUES_MAX)).length;
    if (name !== METRIC_NAME) labels.push({ name, class: kind, entry, values });
  }
  const metrics = await names(METRIC_NAME, METRICS_MAX + 1);
  return {
    domain,
    domainLabel,
    attributes: inventory.all().map((seen) => {
      const { class: kind, entry } = admission.attributeRule(seen.key);
      return { ...seen, class: kind, entry };
    }),
    attributesLeft: inventory.left,
    labels,
    labelsCut: found.length > LABELS_MAX,
    metrics: metrics.slice(0, METRICS_MAX),
    metricsCut: metrics.length > METRICS_MAX,
  };
}
