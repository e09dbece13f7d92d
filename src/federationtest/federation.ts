import { ComityError } from '../base/errors.ts';
import { newTraceparent } from '../base/traceparent.ts';
import type { DomainCoverage } from '../border/release-coverage.ts';
import type { Border } from '../border/border.ts';
import { openDomain, type Registry } from '../hub/registry.ts';
import { runQuery, type QueryResult } from '../hub/query.ts';
import type { Batch } from '../model/batch.ts';
import type { QueryGrid } from '../model/grid.ts';
import { parsePolicy } from '../policy/document.ts';
import type { EgressClass } from '../policy/egress-class.ts';
import type { Expr } from '../promql/ast.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import { LOOKBACK_MS, openScriptStore, QUERY_MS, type Database } from '../promqltest/database.ts';
import { openQueries } from '../shard/queries.ts';
import { borderTransport, memoryLedger } from './border-transport.ts';

/** A hub over domains in this process. */
export interface Federation {
  /** Their names, which are the values of the domain label. */
  readonly domains: readonly string[];
  readonly domainLabel: string;
  readonly egressClass: EgressClass;
  /** What the hub knows of its domains, for whoever puts its HTTP API over them. */
  readonly registry: Registry;
  /** Stores samples, whose series carry the domain label already, in one domain, by index. */
  append(domain: number, batch: Batch): Promise<void>;
  clear(): Promise<void>;
  /** What the hub answers. `text` and `changes` as a database's. Throws what the hub throws. */
  query(expr: Expr, text: string, grid: QueryGrid, changes?: Partial<PromqlFeatures>): Promise<QueryResult>;
  /** From now on the hub cannot connect to these domains, by index, and can to all others. */
  silence(domains: ReadonlySet<number>): void;
  close(): Promise<void>;
}

export interface FederationOptions {
  /** At least 1. */
  readonly domains: number;
  /** Threads that the store of each domain is spread over; 0 for none. */
  readonly shards: number;
  /** Of every metric in every domain; all labels may leave. */
  readonly egressClass: EgressClass;
  readonly features: PromqlFeatures;
  /** Default `domain`. */
  readonly domainLabel?: string;
  /** Aggregations that let an aggregate metric out; without it those that a policy lists by default. */
  readonly operators?: readonly string[];
}

/**
 * Opens a federation without data. All that lies between a hub and its domains is the real thing (planner, codec, policy,
 * border, merge) but for the sockets.
 */
export async function openFederation(options: FederationOptions): Promise<Federation> {
  const { shards, features, domainLabel = 'domain' } = options;
  const stops: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const stop of stops.splice(0).reverse()) await stop();
  };
  try {
    let silent: ReadonlySet<number> = new Set();
    const stores: Pick<Database, 'append' | 'clear'>[] = [];
    const registry: Registry[number][] = [];
    const domains = Array.from({ length: options.domains }, (_, i) => domainName(i));
    for (const [i, name] of domains.entries()) {
      const text = policyText(name, options);
      const store = await openScriptStore(shards, {
        policies: [{ layers: [{ layer: 'local', source: 'test', text }], domain: name, domainLabel }],
      });
      stops.push(store.close);
      const queries = openQueries(store.shards);
      stops.push(queries.close);
      const policy = parsePolicy(text, 'the policy', name, domainLabel);
      const book = await memoryLedger(name);
      stops.push(() => book.ledger.close());
      const status = (): ReturnType<Border['status']> => statusOf(name, policy.digest);
      const border: Border = { policy: () => policy, data: queries, status, ...book, ...NO_STREAMS };
      const transport = borderTransport(border, () => silent.has(i));
      const way = { url: `in-process:${name}`, transport, heartbeat: transport };
      registry.push(openDomain({ name, jurisdiction: 'test' }, [way]));
      stores.push(store);
    }

    return {
      domains,
      domainLabel,
      egressClass: options.egressClass,
      registry,
      async append(domain, batch) {
        const store = stores[domain];
        if (store === undefined) throw new ComityError('internal', `there is no domain ${domain}`);
        await store.append(batch);
      },
      async clear() {
        await Promise.all(stores.map((store) => store.clear()));
      },
      query: (expr, text, grid, changes) =>
        runQuery(
          {
            text,
            expr,
            grid,
            lookbackMs: LOOKBACK_MS,
            features: { ...features, ...changes },
            deadlineMs: Date.now() + QUERY_MS,
            allowPartial: true,
            signal: new AbortController().signal,
            trace: newTraceparent(),
          },
          { registry, domainLabel },
        ),
      silence(indices) {
        silent = indices;
        // As a heartbeat would: what was silent before is asked again at once.
        for (const [i, { replicas }] of registry.entries()) {
          if (!silent.has(i)) for (const { breaker } of replicas) breaker.heard();
        }
      },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The name of a domain by its index. */
export function domainName(index: number): string {
  return `d${index + 1}`;
}

function policyText(domain: string, { egressClass, operators }: FederationOptions): string {
  const rule = { match: '*', class: egressClass, ...(operators === undefined ? {} : { operators }) };
  return JSON.stringify({ version: 1, domain, labels: { permit: ['*'] }, metrics: [rule], default_class: 'sealed' });
}

/** What a domain without senders knows of them. */
const NO_STREAMS: DomainCoverage = {
  coverage: async ({ grid }) => [{ steps: grid.steps, observed: 0, expected: 0 }],
  late: () => undefined,
};

/** A domain without senders: it misses no stream, and nothing of what it holds is settled. */
function statusOf(domain: string, policyDigest: string): ReturnType<Border['status']> {
  return {
    domain,
    policyDigest,
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
  };
}
