import { ANSWER_CHECKS } from './answer-checks.ts';
import type { Check } from './check.ts';
import { LIST_CHECKS } from './list-checks.ts';
import { QUERY_CHECKS } from './query-checks.ts';

/** The border's checks. */
export const CHECKS: readonly Check[] = [...ANSWER_CHECKS, ...QUERY_CHECKS, ...LIST_CHECKS];
