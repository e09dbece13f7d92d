import { Gauge, Histogram, type Registry as Metrics } from 'prom-client';
import type { HubBundles, Published } from './bundles.ts';
import type { Domain, Registry, Replica } from './registry.ts';

/** How a replica's policy differs from what it should be. */
export interface Drift {
  readonly domain: string;
  readonly replica: string;
  /** `critical`: nothing leaves the domain, or it has not followed in time, or its replicas answer by different policies. */
  readonly severity: 'critical' | 'warning';
  readonly reason: string;
}

/** How far the domains are with the bundle that was published last. */
export interface PolicyWatch {
  /** Replicas whose policy is another one than it should be. */
  drift(): readonly Drift[];
  /** Replicas that do not have the published bundle in force. */
  lacking(): readonly { readonly domain: string; readonly replica: string }[];
  close(): void;
}

/** Agents ask all the time; one that has not followed after this long does not just need its turn. */
const GRACE_MS = 60_000;

/** How often heartbeats are looked at while some agents lack a bundle. */
const LOOK_MS = 100;

/**
 * Watches heartbeats for the policies that domains say they have. The time from the moment at which a bundle was seen here to
 * the last replica's heartbeat with it is its sync lag. Replicas that are silent keep it open.
 */
export function watchPolicies(
  registry: Registry,
  bundles: HubBundles | undefined,
  metrics: Metrics,
  now: () => number = Date.now,
): PolicyWatch {
  const registers = [metrics];
  /** By replica: when it was first heard with the bundle that it has. */
  const first = new Map<string, { readonly digest: string; readonly heardMs: number }>();
  let synced: string | undefined;
  const lag = new Histogram({
    name: 'comity_hub_policy_sync_seconds',
    help: 'Time from publishing a policy bundle here to the heartbeat of the last replica that has it in force.',
    buckets: [0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300, 3_600],
    registers,
  });
  const last: Gauge = new Gauge({
    name: 'comity_hub_policy_sync_last_seconds',
    help: 'The same of the last bundle that all replicas have; of one that some lack, the time until now.',
    registers,
    collect: () => {
      const published = bundles?.published();
      if (published !== undefined && !published.wasThere && synced !== published.digest) {
        last.set((now() - published.sinceMs) / 1000);
      }
    },
  });
  const lacks: Gauge<'domain'> = new Gauge({
    name: 'comity_hub_policy_unsynced',
    help: 'Replicas of the domain that do not have the published policy bundle in force.',
    labelNames: ['domain'],
    registers,
    collect: () => {
      for (const { config } of registry) lacks.set({ domain: config.name }, 0);
      for (const { domain } of lacking()) lacks.inc({ domain });
    },
  });
  const drifting: Gauge<'domain' | 'severity'> = new Gauge({
    name: 'comity_hub_policy_drift',
    help: 'Replicas of the domain whose policy is not the one that it should be. critical: it denies all, has not followed in time, or differs from that of another replica.',
    labelNames: ['domain', 'severity'],
    registers,
    collect: () => {
      for (const { config } of registry) {
        for (const severity of ['critical', 'warning']) drifting.set({ domain: config.name, severity }, 0);
      }
      for (const { domain, severity } of drift()) drifting.inc({ domain, severity });
    },
  });
  new Gauge({
    name: 'comity_hub_policy_bundle_version',
    help: 'Version of the published policy bundle; 0 for none.',
    registers,
    collect() {
      this.set(bundles?.published()?.version ?? 0);
    },
  });

  function lacking(): readonly { domain: string; replica: string }[] {
    const published = bundles?.published();
    if (published === undefined) return [];
    return replicasOf(registry)
      .filter(([, replica]) => !hasBundle(replica, published))
      .map(([domain, replica]) => ({ domain: domain.config.name, replica: replica.url }));
  }

  function drift(): readonly Drift[] {
    const published = bundles?.published();
    return replicasOf(registry).flatMap(([domain, replica]) => {
      const found = driftOf(domain, replica, published, now());
      return found === undefined ? [] : [{ domain: domain.config.name, replica: replica.url, ...found }];
    });
  }

  function look(): void {
    for (const [, { url, lastStatus, lastHeardMs }] of replicasOf(registry)) {
      const digest = lastStatus?.bundleDigest ?? '';
      if (first.get(url)?.digest !== digest) first.set(url, { digest, heardMs: lastHeardMs });
    }
    const published = bundles?.published();
    if (published === undefined || synced === published.digest || lacking().length > 0) return;
    synced = published.digest;
    // Since when it was there nobody knows.
    if (published.wasThere) return;
    const heardMs = Math.max(...[...first.values()].map((one) => one.heardMs));
    const seconds = Math.max(0, heardMs - published.sinceMs) / 1000;
    lag.observe(seconds);
    last.set(seconds);
  }
  const timer = setInterval(look, LOOK_MS).unref();

  return { drift, lacking, close: () => clearInterval(timer) };
}

function replicasOf(registry: Registry): readonly (readonly [Domain, Replica])[] {
  return registry.flatMap((domain) => domain.replicas.map((replica) => [domain, replica] as const));
}

function hasBundle({ lastStatus }: Replica, published: Published): boolean {
  return lastStatus?.bundleDigest === published.digest && lastStatus.policyState === 'in force';
}

function driftOf(
  { replicas }: Domain,
  { lastStatus }: Replica,
  published: Published | undefined,
  nowMs: number,
): Pick<Drift, 'severity' | 'reason'> | undefined {
  if (lastStatus === undefined) return undefined;
  const { bundleVersion, bundleDigest, policyDigest, policyState } = lastStatus;
  if (policyState !== 'in force')
    return { severity: 'critical', reason: `it denies all: its policy is ${policyState}` };
  // Until they had time to follow, it is only known that they have not yet.
  const severity = published !== undefined && nowMs - published.sinceMs < GRACE_MS ? 'warning' : 'critical';
  if (replicas.some((other) => other.lastStatus !== undefined && other.lastStatus.policyDigest !== policyDigest)) {
    return { severity, reason: 'the replicas of the domain have different policies' };
  }
  if (published === undefined || bundleDigest === published.digest) return undefined;
  if (bundleVersion > published.version) {
    return {
      severity: 'warning',
      reason: `it has bundle ${bundleVersion}, and ${published.version} is published here`,
    };
  }
  if (bundleVersion === published.version) {
    return { severity: 'critical', reason: `it has another bundle of version ${bundleVersion}` };
  }
  return { severity, reason: `it has bundle ${bundleVersion || 'none'} of ${published.version}` };
}
