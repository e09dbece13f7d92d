import { Counter, Gauge, type Registry } from 'prom-client';
import { BUNDLE_FAULTS } from '../policy/bundle.ts';
import type { LivePolicy } from './live-policy.ts';
import { OPA_OUTCOMES } from './opa-veto.ts';

const STATES = ['in force', 'expired', 'unreadable', 'rolled back'] as const;
const OUTCOMES = ['released', 'refused'] as const;

/** The metrics of an agent's policy, for the domain's operators. */
export function policyMetrics(registry: Registry, policy: LivePolicy): void {
  const registers = [registry];
  const { source, canary } = policy;
  const state: Gauge<'state'> = new Gauge({
    name: 'comity_policy_state',
    help: 'Whether the policy is in this state: in all but "in force" nothing leaves the domain.',
    labelNames: ['state'],
    registers,
    collect: () => {
      const { policyState } = source.told();
      for (const one of STATES) state.set({ state: one }, Number(one === policyState));
    },
  });
  gauge('comity_policy_bundle_version', 'Version of the policy bundle in force; 0 for none.', () => {
    return source.told().bundleVersion;
  });
  gauge('comity_policy_bundle_expires_seconds', 'Unix time from which nothing leaves; 0 without a bundle.', () => {
    return (source.told().bundleExpiresMs ?? 0) / 1000;
  });
  counter('comity_policy_changes_total', 'Policies that came into force after the first.', [], (set) => {
    set({}, source.changes());
  });
  counter(
    'comity_policy_bundle_refusals_total',
    'Policy bundles that were not taken, by reason.',
    ['reason'],
    (set) => {
      for (const reason of BUNDLE_FAULTS) set({ reason }, source.refusals().get(reason) ?? 0);
    },
  );
  counter('comity_policy_bundle_failures_total', 'Questions for policy bundles that failed.', [], (set) => {
    set({}, policy.fetchFailures());
  });
  counter(
    'comity_policy_canary_decisions_total',
    'Fragments by what the policy in force and the candidate beside it decided.',
    ['in_force', 'candidate'],
    (set) => {
      for (const inForce of OUTCOMES) for (const candidate of OUTCOMES) set({ in_force: inForce, candidate }, 0);
      for (const { inForce, candidate, fragments } of canary.totals()) set({ in_force: inForce, candidate }, fragments);
    },
  );
  counter(
    'comity_veto_questions_total',
    'Questions to the Open Policy Agent; all but allowed stop.',
    ['outcome'],
    (set) => {
      for (const outcome of OPA_OUTCOMES) set({ outcome }, policy.vetoes().get(outcome) ?? 0);
    },
  );

  function gauge(name: string, help: string, read: () => number): void {
    const metric: Gauge = new Gauge({ name, help, registers, collect: () => metric.set(read()) });
  }

  function counter(
    name: string,
    help: string,
    labelNames: readonly string[],
    collect: (set: (labels: Record<string, string>, value: number) => void) => void,
  ): void {
    const values = new Map<string, [Record<string, string>, number]>();
    const metric: Counter = new Counter({
      name,
      help,
      labelNames: [...labelNames],
      registers,
      collect: () => {
        values.clear();
        collect((labels, value) => values.set(JSON.stringify(labels), [labels, value]));
        metric.reset();
        for (const [labels, value] of values.values()) metric.inc(labels, value);
      },
    });
  }
}
