import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { messageCodec } from '../../base/proto.ts';
import { nodesIn } from './preorder.ts';
import type { Fragment } from '../distribute.ts';
import { decodeRefusal, encodeRefusal, type Refusal, type RefusalMessage } from './refusal-codec.ts';
import { assertAnswerTo } from './request-id.ts';
import { decodeStatus, encodeStatus, statusBounds, type DomainStatus, type StatusMessage } from './status-codec.ts';
import { decodeStrict, FEDERATION_VERSION, type Versioned } from './version.ts';

/** What a border would do with a fragment. */
export type Verdict = { readonly refusal: Refusal } | Permission;

export interface Permission {
  /** The rules of the policy that let it out. */
  readonly rules: readonly MetricRule[];
  /** Series that the fragment's selectors pick now, which is what the answer costs; 0 where the policy keeps it. */
  readonly series: number;
}

export interface MetricRule {
  /** A metric that the fragment spells out. */
  readonly metric: string;
  /** The metric's class by the policy. */
  readonly class: 'open' | 'aggregate' | 'protected' | 'sealed';
  /** The glob of the policy, or `default`. */
  readonly rule: string;
}

/** The answer to the question what a request would come to. */
export interface ExplainAnswer {
  readonly status: DomainStatus;
  /** One for each fragment asked, in order. */
  readonly verdicts: readonly Verdict[];
  /** The request's. */
  readonly id: Uint8Array;
}

const explainAnswer = messageCodec<ExplainAnswerMessage>('federation.proto', 'comity.federation.v1.ExplainAnswer');

export function encodeExplainAnswer({ status, verdicts, id }: ExplainAnswer): Uint8Array {
  return explainAnswer.encode({
    version: FEDERATION_VERSION,
    status: encodeStatus(status),
    verdicts: verdicts.map((verdict) =>
      'refusal' in verdict ? { refusal: encodeRefusal(verdict.refusal) } : { permission: { ...verdict } },
    ),
    id,
  });
}

/** Reads a domain's verdicts on `fragments`, and refuses an answer that does not fit what was asked. */
export function decodeExplainAnswer(
  bytes: Uint8Array,
  { fragments, id }: { readonly fragments: readonly Fragment[]; readonly id: Uint8Array },
): ExplainAnswer {
  const message = decodeStrict(explainAnswer, bytes, {
    fields: fragments.length + OTHER_FIELDS,
    nested: { [STATUS]: statusBounds, [VERDICTS]: { fields: 1, nested: { [PERMISSION]: { fields: RULES_MAX + 1 } } } },
  });
  if (message.verdicts.length !== fragments.length) throw broken('number of verdicts');
  return {
    id: assertAnswerTo(id, message.id),
    status: decodeStatus(message.status),
    verdicts: message.verdicts.map(({ refusal, permission }, index) => {
      if (refusal !== undefined) return { refusal: decodeRefusal(refusal, nodesIn(fragments[index]!.expr)) };
      if (permission === undefined) throw broken('an empty verdict');
      return decodePermission(permission);
    }),
  };
}

const OTHER_FIELDS = 8;

/** Field numbers of proto/federation.proto. */
const STATUS = 2;
const VERDICTS = 3;
const PERMISSION = 2;

/** A fragment has no room for more metrics. */
const RULES_MAX = LIMITS.expressionChars;

const CLASSES: readonly MetricRule['class'][] = ['open', 'aggregate', 'protected', 'sealed'];

interface ExplainAnswerMessage extends Versioned {
  id: Uint8Array;
  status: StatusMessage | null;
  verdicts: { refusal?: RefusalMessage; permission?: PermissionMessage }[];
}

interface PermissionMessage {
  rules: readonly { metric: string; class: string; rule: string }[];
  series: number;
}

function decodePermission({ rules, series }: PermissionMessage): Permission {
  if (!Number.isSafeInteger(series)) throw broken('number of series');
  return {
    series,
    rules: rules.map((one) => {
      const known = CLASSES.find((name) => name === one.class);
      if (known === undefined) throw broken('class of a metric');
      if (one.metric.length > LIMITS.labelBytes || one.rule.length > LIMITS.labelBytes)
        throw broken('length of a rule');
      return { metric: one.metric, class: known, rule: one.rule };
    }),
  };
}

function broken(what: string): ComityError {
  return new ComityError('bad_data', `malformed ExplainAnswer: ${what}`);
}
