import type { Logger } from 'pino';
import type { DomainData } from '../border/domain-data.ts';
import type { Veto } from '../border/veto.ts';
import type { DomainStatus } from '../plan/frames/status-codec.ts';
import type { BundleMark } from '../policy/bundle-chain.ts';
import type { Policy } from '../policy/document.ts';
import { fetchBundles, type BundleFetch } from './bundle-fetch.ts';
import { openCanary, type Canary } from './canary.ts';
import { opaVeto, type OpaOutcome } from './opa-veto.ts';
import type { PolicyConfig } from './policy-config.ts';
import { openPolicySource, type PolicyFollowers, type PolicySource } from './policy-source.ts';

/** All that an agent has of its policy: as it changes, the candidate beside it, and the veto behind it. */
export interface LivePolicy {
  readonly source: PolicySource;
  policy(): Policy;
  /** What a hub is told of it. */
  status(): PolicyStatus;
  readonly canary: Canary;
  /** Undefined where nobody is to be asked. */
  readonly veto: Veto | undefined;
  vetoes(): ReadonlyMap<OpaOutcome, number>;
  fetchFailures(): number;
  /** Has the policy in force, follows its changes, and looks for bundles. */
  start(followers: PolicyFollowers & Pick<DomainData, 'kinds'>): Promise<void>;
  close(): Promise<void>;
}

type PolicyStatus = Pick<DomainStatus, 'policyDigest' | 'bundleDigest' | 'bundleVersion' | 'policyState'>;

interface LivePolicyOptions {
  readonly config: PolicyConfig & { readonly domain: string; readonly domainLabel: string; readonly policy: string };
  /** Where the bundle in force is kept when the configuration does not say; in memory alone when left out. */
  readonly statePath: string | undefined;
  /** The last bundle of which the ledger knows. */
  readonly mark: BundleMark | undefined;
  readonly log: Logger;
  readonly now?: (() => number) | undefined;
}

/** Throws as `openPolicySource`. */
export function openLivePolicy({ config, statePath, mark, log, now }: LivePolicyOptions): LivePolicy {
  const { domain, domainLabel, bundles, policyCanary, opa } = config;
  const source = openPolicySource({
    domain,
    domainLabel,
    path: config.policy,
    canaryPath: policyCanary,
    keys: bundles?.keys,
    statePath: bundles?.statePath ?? statePath,
    mark,
    log,
    now,
  });
  const vetoes = new Map<OpaOutcome, number>();
  const veto =
    opa === undefined ? undefined : opaVeto(opa, (outcome) => vetoes.set(outcome, (vetoes.get(outcome) ?? 0) + 1));
  let kinds: DomainData['kinds'] = async () => [];
  const canary = openCanary({
    candidate: source.candidate,
    inForce: source.policy,
    kinds: (matchers, deadlineMs, signal) => kinds(matchers, deadlineMs, signal),
  });
  let fetch: BundleFetch | undefined;
  return {
    source,
    policy: source.policy,
    status() {
      const { bundleDigest, bundleVersion, policyState } = source.told();
      return { policyDigest: source.policy().digest, bundleDigest, bundleVersion, policyState };
    },
    canary,
    veto: veto?.veto,
    vetoes: () => vetoes,
    fetchFailures: () => fetch?.failures() ?? 0,
    async start(followers) {
      kinds = followers.kinds;
      await source.follow(followers);
      if (bundles !== undefined) fetch = fetchBundles(bundles.origin, source, log);
    },
    async close() {
      // The source first: a bundle that is being taken would wait for what is not going to happen any more.
      await source.close();
      await fetch?.close();
      await veto?.close();
    },
  };
}
