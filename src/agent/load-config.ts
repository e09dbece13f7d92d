import Type, { type Static } from 'typebox';
import { LIMITS } from '../base/limits.ts';
import { DEFAULT_SHARE, type LoadShare } from './load-gate.ts';

/** `limits.federation` of an agent's configuration: what hubs may ask of it at once. */
export const LOAD_SHARE = Type.Object(
  {
    concurrent: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_024 })),
    queued: Type.Optional(Type.Integer({ minimum: 0, maximum: 10_000 })),
    cost: Type.Optional(Type.Integer({ minimum: 1 })),
    /** Past `answerMs` nobody works on a request anyway. */
    queue_ms: Type.Optional(Type.Integer({ minimum: 1, maximum: LIMITS.answerMs })),
  },
  { additionalProperties: false },
);

/** The share with what the configuration leaves out. */
export function loadShare(raw: Static<typeof LOAD_SHARE> = {}): LoadShare {
  return {
    concurrent: raw.concurrent ?? DEFAULT_SHARE.concurrent,
    queued: raw.queued ?? DEFAULT_SHARE.queued,
    cost: raw.cost ?? DEFAULT_SHARE.cost,
    queueMs: raw.queue_ms ?? DEFAULT_SHARE.queueMs,
  };
}
