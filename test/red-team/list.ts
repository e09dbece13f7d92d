import type { Entry } from './attempt.ts';
import { CALLER_ENTRIES } from './entries/callers.ts';
import { HUB_ENTRIES } from './entries/hub.ts';
import { LIMIT_ENTRIES } from './entries/limits.ts';
import { INGEST_ENTRIES } from './entries/ingest.ts';
import { LABEL_ENTRIES } from './entries/labels.ts';
import { MATCHER_ENTRIES } from './entries/matchers.ts';
import { OPERATOR_ENTRIES } from './entries/operators.ts';
import { POLICY_ENTRIES } from './entries/policy.ts';
import { PROTECTED_ENTRIES } from './entries/protected.ts';
import { SIDE_DOOR_ENTRIES } from './entries/side-doors.ts';

/** All that is attempted; what starts agents and hubs of its own comes last. */
export const ENTRIES: readonly Entry[] = [
  ...LABEL_ENTRIES,
  ...OPERATOR_ENTRIES,
  ...MATCHER_ENTRIES,
  ...PROTECTED_ENTRIES,
  ...SIDE_DOOR_ENTRIES,
  ...CALLER_ENTRIES,
  ...INGEST_ENTRIES,
  ...LIMIT_ENTRIES,
  ...POLICY_ENTRIES,
  ...HUB_ENTRIES,
];
