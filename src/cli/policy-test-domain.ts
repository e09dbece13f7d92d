import { ComityError } from '../base/errors.ts';
import type { Border } from '../border/border.ts';
import { borderTransport, memoryLedger } from '../federationtest/border-transport.ts';
import { instantGrid } from '../model/grid.ts';
import { dropLabels, labelsText, METRIC_NAME, withDomainLabel, type Labels } from '../model/labels.ts';
import { distribute } from '../plan/distribute.ts';
import { NOTHING_KNOWN } from '../plan/frames/coverage-codec.ts';
import { decodeQueryAnswer, encodeQueryRequest } from '../plan/frames/query-codec.ts';
import { decodeReleased } from '../plan/frames/receipt-codec.ts';
import { newRequestId } from '../plan/frames/request-id.ts';
import { PlanRefusal } from '../plan/refusal.ts';
import { admission, type CountedAdmission } from '../policy/admit.ts';
import { openPolicy, type PolicyTexts } from '../policy/document.ts';
import { domainKeys, ROOT_BYTES } from '../policy/domain-key.ts';
import { ALL_HUB_FEATURES } from '../promql/features.ts';
import { parseExpr } from '../promql/parse.ts';
import { LOOKBACK_MS, openScriptStore, QUERY_MS } from '../promqltest/database.ts';
import { loadBatch } from '../promqltest/load-batch.ts';
import { parseScript } from '../promqltest/parse-script.ts';
import { openQueries } from '../shard/queries.ts';

/** What became of a query: `allowed`, or `refused` with the code and what is at fault, and the label sets that left. */
export interface Asked {
  readonly outcome: string;
  readonly series: readonly string[];
}

/** A domain under a policy in this process: a store, admission as of an agent, and the border before both. */
export interface PolicyDomain {
  readonly admission: CountedAdmission;
  /** Stores samples in the notation of promqltest. Throws `ScriptError` with the place. */
  load(file: string, script: string): Promise<void>;
  ask(query: string, timeMs: number): Promise<Asked>;
  close(): Promise<void>;
}

export async function openPolicyDomain(texts: PolicyTexts): Promise<PolicyDomain> {
  const { domain, domainLabel } = texts;
  const policy = openPolicy(texts);
  // The same for every run: pseudonyms stand in what tests expect.
  const keys = domainKeys(Buffer.alloc(ROOT_BYTES, 1));
  const admit = admission({ keys, domainLabel, words: policy.admit, now: () => 0 });
  const store = await openScriptStore(0, { policies: [texts] });
  const queries = openQueries(store.shards);
  const book = await memoryLedger(domain);
  const border: Border = {
    policy: () => policy,
    data: queries,
    ...book,
    status: () => ({ ...NOTHING_SAID, domain, policyDigest: policy.digest }),
    coverage: async ({ grid }) => [{ steps: grid.steps, observed: 0, expected: 0 }],
    late: () => undefined,
  };
  const transport = borderTransport(border, () => false);

  async function ask(query: string, timeMs: number): Promise<Asked> {
    let fragments;
    try {
      fragments = distribute(parseExpr(query, ALL_HUB_FEATURES), instantGrid(timeMs), {
        domainLabel,
        text: query,
      }).fragments;
    } catch (error) {
      if (!(error instanceof PlanRefusal)) throw error;
      return { outcome: `refused ${error.reason}`, series: [] };
    }
    const asked = { fragments, coverage: [], since: NOTHING_KNOWN, id: newRequestId() };
    const body = encodeQueryRequest({
      ...asked,
      lookbackMs: LOOKBACK_MS,
      timeLeftMs: QUERY_MS,
      features: ALL_HUB_FEATURES,
    });
    const { bytes, statusCode } = await transport.send('query', body, {
      signal: AbortSignal.timeout(QUERY_MS),
    } as never);
    if (statusCode !== 200) throw new ComityError('internal', `the border answers with status ${statusCode}`);
    const answers = decodeQueryAnswer(decodeReleased(bytes).answer, asked).fragments;
    const refusal = answers.flatMap((answer) => ('refusal' in answer ? [answer.refusal] : []))[0];
    if (refusal !== undefined) return { outcome: `refused ${refusal.code} ${refusal.name}`.trim(), series: [] };
    const rows = answers.flatMap((answer) => ('rows' in answer ? answer.rows : []));
    const present = rows.filter(({ columns }) => columns.present.some((is) => is === 1));
    return { outcome: 'allowed', series: [...new Set(present.map(({ labels }) => seriesText(labels)))].sort() };
  }

  return {
    admission: admit,
    ask,
    async load(file, script) {
      for (const command of parseScript(file, script, ALL_HUB_FEATURES)) {
        if (command.kind !== 'load')
          throw new ComityError('bad_config', `${file}: only load commands stand under load`);
        const series = command.series.map((one) => ({
          ...one,
          labels: admit.series(withDomainLabel(one.labels, domainLabel, domain)),
        }));
        await store.append(loadBatch({ ...command, series }));
      }
    },
    async close() {
      await queries.close();
      await store.close();
      await book.ledger.close();
    },
  };
}

/** A series as a query writes it: the name before the braces. */
function seriesText(labels: Labels): string {
  const at = labels.indexOf(METRIC_NAME);
  const name = at < 0 ? '' : labels[at + 1]!;
  const rest = labelsText(dropLabels(labels, new Set([METRIC_NAME])));
  return name === '' ? rest : `${name}${rest === '{}' ? '' : rest}`;
}

/** A domain without senders. */
const NOTHING_SAID = {
  expectedStreams: 0,
  observedStreams: 0,
  settledUntilMs: 0,
  heldFromMs: 0,
  rawBytesHeld: 0,
  releasedBytes: 0,
  gaps: [],
  bundleDigest: '',
  bundleVersion: 0,
  policyState: 'in force',
} as const;
