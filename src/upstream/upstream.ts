import type { Logger } from 'pino';
import { ComityError } from '../base/errors.ts';
import type { DomainCoverage } from '../border/release-coverage.ts';
import type { DomainData } from '../border/domain-data.ts';
import { assertWithinLimits } from '../engine/usage.ts';
import { METRIC_NAME } from '../model/labels.ts';
import type { Fragment } from '../plan/distribute.ts';
import { readRange } from '../plan/read-range.ts';
import { bothPolicies } from '../policy/both-policies.ts';
import { openPolicy, type Policy, type PolicyTexts } from '../policy/document.ts';
import { isWithheld } from '../policy/egress-class.ts';
import { children, type Expr, type VectorSelector } from '../promql/ast.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import type { Spent } from '../shard/shard.ts';
import { serverClient, type ServerAuth, type ServerClient, type Until } from './client.ts';
import { sourceCoverage } from './coverage.ts';
import { readFragment } from './evaluate.ts';
import { listFamilies, listServerExemplars, listWholeSeries, unlessUnsupported } from './lists.ts';
import { listKinds, listLabels } from './labels.ts';
import { pushAggregation } from './metricsql.ts';
import { pushFragment, type PushedAnswer } from './push.ts';
import { hasSeries } from './series.ts';
import { knownServer, type Engine, type Server } from './server.ts';
import { watchSource, type SourceState } from './streams.ts';
import { ownLabelSelector, type View } from './view.ts';

/** A server of the domain that keeps the samples in place of a store, and how it is asked. */
export interface SourceConfig {
  readonly url: string;
  /** Found out by asking the server when left out. */
  readonly engine?: Engine | undefined;
  readonly auth?: ServerAuth | undefined;
}

export interface UpstreamOptions extends SourceConfig {
  /** Of the domain, of which each can keep back. At least one. */
  readonly policies: readonly PolicyTexts[];
  readonly domain: string;
  readonly domainLabel: string;
  readonly log: Logger;
  /** How often the server is asked about its targets. */
  readonly pollMs?: number | undefined;
}

/** A Prometheus-compatible server as a domain's data. */
export interface Upstream extends DomainData, Pick<DomainCoverage, 'coverage'> {
  state(): SourceState;
  /** From here on nothing is read for those outside the domain that any of these keeps back. */
  applyPolicies(policies: readonly PolicyTexts[]): void;
  /** How fragments were answered since the start. */
  readonly counts: { pushed: number; read: number };
  close(): Promise<void>;
}

/** Answers fragments from a Prometheus-compatible server: it evaluates what it evaluates as Prometheus 3 does, the rest is read. */
export function openUpstream(options: UpstreamOptions): Upstream {
  const { url, engine, auth, domain, domainLabel, log, pollMs } = options;
  const view: View = { domain, domainLabel };
  let { policies } = options;
  let policy = strictest(policies);
  const client = serverClient(url, auth);
  const server = knownServer(client, engine);
  const watch = watchSource(client, server, log, pollMs);
  const counts = { pushed: 0, read: 0 };

  return {
    counts,
    state: watch.state,
    applyPolicies(all) {
      policies = all;
      policy = strictest(all);
    },
    coverage: (question, until) => sourceCoverage(client, server, question, watch.state(), until),
    async fragment({ fragment, lookbackMs, features, deadlineMs, spent }, signal) {
      const until = { deadlineMs, signal };
      for (const selector of selectorsOf(fragment.expr)) {
        const name = selector.matchers.find((matcher) => matcher.name === METRIC_NAME && matcher.op === '=');
        if (name !== undefined && isWithheld(policy.classOf(name.value))) {
          throw new ComityError('refused', 'a sealed metric was selected');
        }
      }
      const asked = await server(until);
      const isPushed = mayPush(
        fragment,
        features,
        asked,
        policy.rulesBelow('').every((rule) => !isWithheld(rule.class)),
      );
      const pushed = isPushed ? await push(client, fragment, lookbackMs, asked, view, until) : undefined;
      if (pushed !== undefined) {
        counts.pushed++;
        return { ...pushed, spent: spentOn(pushed, fragment, spent) };
      }
      if (features.startTimestamps) {
        throw new ComityError('unsupported', 'unsupported: the server of this domain hands out no start timestamps');
      }
      counts.read++;
      const cancelled = new Int32Array(new SharedArrayBuffer(4));
      const settings = { lookbackMs, features, spent, deadlineMs, cancelled, view, engine: asked.engine };
      return readFragment(client, fragment, { ...settings, policies }, until);
    },
    // The server counts series by looking at all of them, as it does for the query.
    estimate: async () => undefined,
    kinds: (matchers, deadlineMs, signal) => listKinds(client, matchers, view, { deadlineMs, signal }),
    labels: ({ deadlineMs, ...question }, signal) => listLabels(client, question, policy, view, { deadlineMs, signal }),
    series: (question, signal) =>
      unlessUnsupported(listWholeSeries(client, question, policy, view, { deadlineMs: question.deadlineMs, signal })),
    metadata: (question, signal) =>
      unlessUnsupported(listFamilies(client, question, policy, { deadlineMs: question.deadlineMs, signal })),
    exemplars: (question, signal) =>
      unlessUnsupported(
        listServerExemplars(client, question, policy, view, { deadlineMs: question.deadlineMs, signal }),
      ),
    async close() {
      await watch.close();
      await client.close();
    },
  };
}

/**
 * Whether the server can be asked to evaluate: as the request wants it, and nothing of a sealed metric, which only whoever
 * sees the single series can be sure of where a selector does not spell out its metric.
 */
function mayPush(fragment: Fragment, features: PromqlFeatures, server: Server, nothingSealed: boolean): boolean {
  if (!nothingSealed && !selectorsOf(fragment.expr).every(isNamed)) return false;
  // Names that go at the end are still there in an answer to a hub.
  if (features.delayedNameRemoval || features.keptStartsReset) return false;
  if (server.engine === 'victoriametrics') return !features.startTimestamps && !features.typeAndUnitLabels;
  return (
    server.evaluates &&
    !server.features.has('promql-delayed-name-removal') &&
    server.features.has('use-start-timestamps') === features.startTimestamps &&
    server.features.has('type-and-unit-labels') === features.typeAndUnitLabels
  );
}

/** The server's answer, unless something in it asks for an evaluation of our own. */
async function push(
  client: ServerClient,
  fragment: Fragment,
  lookbackMs: number,
  server: Server,
  view: View,
  until: Until,
): Promise<PushedAnswer | undefined> {
  const [answer, hasOwnLabels] = await Promise.all([
    server.engine === 'prometheus'
      ? pushFragment(client, fragment, lookbackMs, view, until)
      : pushAggregation(client, fragment, lookbackMs, view, until).then((rows) => rows && { rows, notes: [] }),
    hasOwnDomainLabel(client, fragment, lookbackMs, view, until),
  ]);
  return hasOwnLabels ? undefined : answer;
}

/** Whether some series that the fragment reads have a domain label of their own, which only a read moves out of the way. */
async function hasOwnDomainLabel(
  client: ServerClient,
  { expr, grid }: Fragment,
  lookbackMs: number,
  view: View,
  until: Until,
): Promise<boolean> {
  const range = readRange(expr, grid, lookbackMs);
  if (range === undefined) return false;
  return hasSeries(
    client,
    selectorsOf(expr).map(({ matchers }) => ownLabelSelector(matchers, view)),
    range,
    until,
  );
}

function spentOn({ rows }: PushedAnswer, { grid }: Fragment, spent: Spent): Spent {
  const total = { ...spent, series: spent.series + rows.length, cells: spent.cells + rows.length * grid.steps };
  assertWithinLimits(total);
  return total;
}

function isNamed({ matchers }: VectorSelector): boolean {
  return matchers.some(({ name, op, value }) => name === METRIC_NAME && op === '=' && value !== '');
}

function selectorsOf(expr: Expr): readonly VectorSelector[] {
  return expr.kind === 'vector' ? [expr] : children(expr).flatMap(selectorsOf);
}

function strictest(policies: readonly PolicyTexts[]): Policy {
  return policies.map(openPolicy).reduce(bothPolicies);
}
