import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { readText } from '../base/config.ts';
import { watchPath } from '../base/watch-path.ts';
import { bothPolicies } from '../policy/both-policies.ts';
import { BundleError, type BundleFault, type BundleKey, type PolicyBundle } from '../policy/bundle.ts';
import {
  bundleLayers,
  offeredBundle,
  type AcceptedBundle,
  type BundleMark,
  type BundleTaker,
} from '../policy/bundle-chain.ts';
import { NO_ADMIT_RULES, openPolicy, type DenyReason, type Policy, type PolicyTexts } from '../policy/document.ts';
import { keepPolicy, policyBefore, readKeptPolicy } from './kept-policy.ts';
import { policyChange, type MadePolicy, type PolicyChange } from './policy-change.ts';

/** What a domain's policy is made from, and where the agent keeps what it was told. */
export interface PolicySourceOptions {
  readonly domain: string;
  readonly domainLabel: string;
  /** The domain's own document. */
  readonly path: string;
  /** A document that decides in shadow in place of the domain's own. */
  readonly canaryPath?: string | undefined;
  /** Who may sign bundles; without, there are none and the domain's own document is all. */
  readonly keys?: readonly BundleKey[] | undefined;
  /** Where the bundle in force is kept; in memory alone when left out. */
  readonly statePath?: string | undefined;
  /** The latest bundle of which the ledger knows. */
  readonly mark?: BundleMark | undefined;
  readonly log: Logger;
  readonly now?: (() => number) | undefined;
}

/** Those who must know of a policy before it is in force. */
export interface PolicyFollowers {
  /** Makes whoever reads samples keep back what any of these policies keeps back; resolves when all do. */
  apply(policies: readonly PolicyTexts[]): Promise<void>;
  /** Writes down what is about to be in force. */
  record(change: PolicyChange): Promise<unknown>;
}

/** What an agent says of its policy. */
export interface PolicyTold {
  /** Empty where no bundle is in force. */
  readonly bundleDigest: string;
  /** 0 where none is. */
  readonly bundleVersion: number;
  readonly policyState: 'in force' | DenyReason;
  /** Milliseconds since the epoch; undefined without a bundle. */
  readonly bundleExpiresMs: number | undefined;
}

/** The policy of a domain as it changes. */
export interface PolicySource {
  /** The one to decide by at this moment: while one takes the place of another, what both let out. */
  policy(): Policy;
  /** What whoever reads samples starts with. */
  texts(): readonly PolicyTexts[];
  /** The rules of ingest: those of the last policy that could be read, so that a broken file loosens none of them. */
  admitRules(): Policy['admit'];
  told(): PolicyTold;
  /** Decides in shadow; undefined for none. */
  candidate(): Policy | undefined;
  /** Offers a bundle: whether it was taken, or is the candidate now. Throws `BundleError` for one that is not to be taken. */
  offer(text: string): Promise<boolean>;
  /** Bundles refused since the start, by reason. */
  refusals(): ReadonlyMap<BundleFault, number>;
  /** Changes of the policy since the start. */
  changes(): number;
  /** Tells of changes from now on, of the policy that is in force first. */
  follow(followers: PolicyFollowers): Promise<void>;
  close(): Promise<void>;
}

/** A follower that fails is told again after this long; until then what both policies let out holds. */
const RETRY_MS = 1_000;

/** Timers that run for longer than some weeks fire at once. */
const TIMER_MAX_MS = 60 * 60 * 1000;

/** What should be in force, and what is at fault where nothing may leave. */
interface Wanted extends MadePolicy {
  readonly fault?: unknown;
}

/**
 * Opens a domain's policy. A document that cannot be read, a bundle that is missing, expired or older than one that was in
 * force deny all, and the agent goes on taking telemetry in. Throws `bad_config` only where the domain's own document is no
 * file at all.
 */
export function openPolicySource(options: PolicySourceOptions): PolicySource {
  const { domain, domainLabel, path, canaryPath, keys, statePath, mark, log, now = Date.now } = options;
  const about = { domain, domainLabel };
  const taker: BundleTaker | undefined = keys === undefined ? undefined : { ...about, keys };
  const faults = new Map<BundleFault, number>();
  const stopping = new AbortController();
  const stops: (() => void)[] = [];
  let own: string | undefined = readText(path);
  const kept = readKeptPolicy(statePath, mark, taker);
  let { accepted, mark: lastMark, layers: keptLayers } = kept;
  let canary: PolicyBundle | undefined;
  let changes = 0;
  let followers: PolicyFollowers | undefined;
  let settling: Promise<void> = Promise.resolve();
  let timer: NodeJS.Timeout | undefined;
  let recorded = false;
  /** The last that was no denial of all: what one after a denial is compared with. */
  let lastOpen = policyBefore(kept, about);
  let admit: Policy['admit'] = lastOpen?.admit ?? NO_ADMIT_RULES;
  let inForce: MadePolicy = wanted();
  let deciding = inForce.policy;
  let admitTold = JSON.stringify(admit);
  let expired: { readonly of: MadePolicy; readonly policy: Policy } | undefined;
  let shadow: Policy | undefined;

  /** What should be in force, by all that is known now. */
  function wanted(): Wanted {
    const bundled = accepted === undefined ? [] : bundleLayers(accepted.bundle, domain);
    const denied = (deniesAll: DenyReason, layers: PolicyTexts['layers'], fault: unknown): Wanted => {
      const texts = { ...about, layers, deniesAll };
      return { texts, policy: openPolicy(texts), accepted, fault };
    };
    if (own === undefined) return denied('unreadable', [], `there is no ${path}`);
    const layers = [...bundled, { layer: 'local' as const, source: path, text: own }];
    let policy: Policy;
    try {
      policy = openPolicy({ ...about, layers });
    } catch (error) {
      return denied('unreadable', [], error);
    }
    // Also of one that denies all: what it says of ingest holds all the same.
    admit = policy.admit;
    if (taker !== undefined && accepted === undefined) return denied(kept.lost, layers, kept.lostTo);
    if (isExpired(accepted)) return denied('expired', layers, 'the policy bundle has expired');
    return { texts: { ...about, layers }, policy, accepted };
  }

  function isExpired(bundle: AcceptedBundle | undefined): boolean {
    return bundle !== undefined && bundle.bundle.expiresMs <= now();
  }

  /** The policy that would be in force with the candidate's documents in place of those that it has. */
  function openCandidate(): Policy | undefined {
    if (canaryPath === undefined && canary === undefined) return undefined;
    const bundle = canary ?? accepted?.bundle;
    const local = canaryPath ?? path;
    try {
      const layers = bundle === undefined ? [] : bundleLayers(bundle, domain);
      const policy = openPolicy({
        ...about,
        layers: [...layers, { layer: 'local', source: local, text: readText(local) }],
      });
      return policy.digest === shadow?.digest ? shadow : policy;
    } catch (error) {
      log.warn({ err: error }, 'the candidate of the policy cannot be read: nothing is decided by it');
      return undefined;
    }
  }

  /** Puts what should be in force into force; one change after the other. */
  function settle(): Promise<void> {
    settling = settling.then(async () => {
      while (followers !== undefined && !stopping.signal.aborted) {
        const next = wanted();
        if (recorded && isSame(next, inForce)) break;
        try {
          await change(next, followers);
        } catch (error) {
          log.error({ err: error }, 'a change of the policy cannot be ended yet: what both let out holds');
          await sleep(RETRY_MS, undefined, { signal: stopping.signal }).catch(() => {});
        }
      }
      shadow = openCandidate();
      arm();
    });
    return settling;
  }

  /**
   * At no moment does anything leave that neither of the two lets out: the border goes by both at once, then those who read
   * samples do, then the change is written down, and then the border goes by the new one alone.
   */
  async function change(next: Wanted, { apply, record }: PolicyFollowers): Promise<void> {
    const before = inForce;
    const { deniesAll, digest } = next.policy;
    deciding = bothPolicies(before.policy, next.policy);
    const isOther = digest !== before.policy.digest;
    if (isOther) await apply([before.texts, next.texts]);
    await record(policyChange(lastOpen ?? (recorded ? before.policy : undefined), next));
    if (recorded) changes++;
    recorded = true;
    inForce = next;
    deciding = next.policy;
    const known = { policyDigest: digest, bundle: next.accepted?.bundle.version };
    if (deniesAll === undefined) {
      lastOpen = next.policy;
      keptLayers = next.texts.layers;
      log.info(known, 'policy in force');
      const admitNow = JSON.stringify(next.policy.admit);
      if (admitNow !== admitTold)
        log.warn('the rules of ingest have changed: they take effect when the agent starts again');
      admitTold = admitNow;
    } else
      log.error({ ...known, reason: deniesAll, err: next.fault }, 'the policy denies all: nothing leaves this domain');
    try {
      keepPolicy(statePath, { accepted, mark: lastMark, layers: keptLayers });
    } catch (error) {
      // The bundle is kept already; only what a restart changes will not be told.
      log.warn({ err: error }, 'the policy in force is not kept');
    }
    if (isOther) await apply([next.texts]);
  }

  /** Looks again when the bundle in force expires. */
  function arm(): void {
    clearTimeout(timer);
    const bundle = inForce.accepted?.bundle;
    if (bundle === undefined || inForce.policy.deniesAll !== undefined || stopping.signal.aborted) return;
    const leftMs = Math.min(Math.max(bundle.expiresMs - now(), 0), TIMER_MAX_MS);
    timer = setTimeout(() => void settle(), leftMs).unref();
  }

  function reread(): void {
    try {
      own = readText(path);
    } catch {
      own = undefined;
    }
    void settle();
  }

  async function offer(text: string): Promise<boolean> {
    if (taker === undefined) throw new BundleError('signature', 'this agent takes none: no keys are configured');
    const offered = offeredBundle(text, accepted, lastMark, taker, now());
    if (offered.kind === 'in force' || (offered.kind === 'candidate' && offered.bundle.digest === canary?.digest)) {
      return false;
    }
    if (offered.kind === 'candidate') {
      canary = offered.bundle;
      log.info({ version: canary.version, digest: canary.digest }, 'a candidate of the policy decides in shadow');
    } else {
      const before = { accepted, lastMark };
      const { bundle } = offered.accepted;
      accepted = offered.accepted;
      lastMark = { version: bundle.version, digest: bundle.digest };
      try {
        // Before it is in force, or a crash would bring back the one before.
        keepPolicy(statePath, { accepted, mark: lastMark, layers: keptLayers });
      } catch (error) {
        ({ accepted, lastMark } = before);
        throw error;
      }
      canary = undefined;
    }
    await settle();
    return true;
  }

  function policy(): Policy {
    if (inForce.policy.deniesAll !== undefined || !isExpired(inForce.accepted)) return deciding;
    // A timer may be late; the clock is not.
    if (expired?.of !== inForce) {
      expired = { of: inForce, policy: openPolicy({ ...inForce.texts, deniesAll: 'expired' }) };
      void settle();
    }
    return expired.policy;
  }

  return {
    policy,
    texts: () => [inForce.texts],
    admitRules: () => admit,
    told() {
      const bundle = inForce.accepted?.bundle;
      return {
        bundleDigest: bundle?.digest ?? '',
        bundleVersion: bundle?.version ?? 0,
        bundleExpiresMs: bundle?.expiresMs,
        policyState: policy().deniesAll ?? 'in force',
      };
    },
    candidate: () => shadow,
    async offer(text) {
      try {
        return await offer(text);
      } catch (error) {
        if (error instanceof BundleError) faults.set(error.fault, (faults.get(error.fault) ?? 0) + 1);
        throw error;
      }
    },
    refusals: () => faults,
    changes: () => changes,
    async follow(all) {
      followers = all;
      await settle();
      stops.push(watchPath(path, reread));
      if (canaryPath !== undefined) stops.push(watchPath(canaryPath, () => void settle()));
    },
    async close() {
      stopping.abort();
      clearTimeout(timer);
      for (const stop of stops) stop();
      await settling;
    },
  };
}

function isSame(a: MadePolicy, b: MadePolicy): boolean {
  return a.policy.digest === b.policy.digest && a.accepted?.bundle.digest === b.accepted?.bundle.digest;
}
