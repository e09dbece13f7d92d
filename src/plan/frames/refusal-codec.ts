import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';

/** Why a border let a fragment's answer not out. A fixed list: an agent's words never reach a reader. */
export const REFUSAL_CODES = [
  'class_sealed',
  'class_protected',
  'class_aggregate',
  'operator_not_permitted',
  'label_not_permitted',
  'matcher_not_permitted',
  'unsupported',
  'execution',
  'undecided',
  'limit',
  'budget',
  'vetoed',
  'policy_denied',
  'timeout',
  'source_unavailable',
] as const;
export type RefusalCode = (typeof REFUSAL_CODES)[number];

/**
 * `name` is the metric, label, operator or part of the language at fault, the policy's limit (`answer_rows`, `answer_bytes`,
 * `bytes_per_day`), or for `policy_denied` the state that the policy is in; empty where the fragment did not spell out the
 * metric, and for other codes.
 */
export interface Refusal {
  readonly code: RefusalCode;
  readonly name: string;
  /** The preorder index of the node at fault; `spanOfNode` finds it in the asker's own tree. */
  readonly node?: number | undefined;
}

/** The Refusal message of proto/federation.proto. */
export interface RefusalMessage {
  code: string;
  name: string;
  node?: number;
}

export function encodeRefusal({ code, name, node }: Refusal): RefusalMessage {
  return node === undefined ? { code, name } : { code, name, node };
}

/** `nodes`: how many the fragment has. A code that this version does not know is `unsupported`, with itself as the name. */
export function decodeRefusal({ code, name, node }: RefusalMessage, nodes: number): Refusal {
  if (name.length > LIMITS.labelBytes || code.length > LIMITS.labelBytes || (node !== undefined && node >= nodes)) {
    throw new ComityError('bad_data', 'malformed Refusal');
  }
  const known = REFUSAL_CODES.find((candidate) => candidate === code);
  const refusal: Refusal = known === undefined ? { code: 'unsupported', name: code } : { code: known, name };
  return node === undefined ? refusal : { ...refusal, node };
}
