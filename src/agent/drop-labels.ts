import { ComityError } from '../base/errors.ts';
import type { Admission } from '../model/admission.ts';
import type { Batch, Metadata } from '../model/batch.ts';
import type { CountedAdmission } from '../policy/admit.ts';
import type { DomainKeys } from '../policy/domain-key.ts';
import { checkDropRules, droppingAdmission, type DropRule } from '../policy/drop-labels.ts';
import { joining, type JoinCounts } from './join-series.ts';

/** What a policy's `drop` rules make of what an agent receives. */
export interface Dropping {
  readonly admission: Admission;
  /** A batch as it is to be stored, behind `CountedAdmission.batch`. */
  batch(batch: Batch): Batch;
  counts(): JoinCounts;
}

export interface DroppingDeps {
  readonly admission: CountedAdmission;
  /** Those of the start: decoders remember what was admitted. */
  readonly rules: readonly DropRule[];
  readonly keys: DomainKeys;
  readonly domainLabel: string;
  /** What the store remembers of metric families; asked where there are rules. */
  metadata(): Promise<readonly Metadata[]>;
}

/** Throws `bad_config` for a rule that takes off what says what a series is. */
export async function openDropping(deps: DroppingDeps): Promise<Dropping> {
  const { admission, rules, keys, domainLabel } = deps;
  const fault = checkDropRules(rules, domainLabel);
  if (fault !== undefined) throw new ComityError('bad_config', `policy: /admit/drop${fault.field}: ${fault.fault}`);
  const join = rules.length === 0 ? undefined : joining(await deps.metadata());
  return {
    admission: droppingAdmission(admission, { rules, keys, counters: admission.counters }),
    batch: (batch) => join?.batch(batch) ?? batch,
    counts: () => join?.counts() ?? NOTHING_JOINED,
  };
}

const NOTHING_JOINED: JoinCounts = new Map();
