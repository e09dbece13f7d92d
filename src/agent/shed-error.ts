import { ComityError } from '../base/errors.ts';

/** Why a request was turned away. */
export type ShedReason = 'too_heavy' | 'queue_full' | 'queue_time' | 'deadline';

export const SHED_REASONS: readonly ShedReason[] = ['too_heavy', 'queue_full', 'queue_time', 'deadline'];

/** A request that is turned away because of what it takes: `overloaded`, or `limit` where it is too much on its own. */
export class ShedError extends ComityError {
  readonly reason: ShedReason;
  /** 1 to 30; undefined where trying again is of no use. */
  readonly retryAfterSeconds: number | undefined;

  constructor(reason: ShedReason, message: string, retryAfterSeconds?: number) {
    super(retryAfterSeconds === undefined ? 'limit' : 'overloaded', message);
    this.reason = reason;
    this.retryAfterSeconds = retryAfterSeconds;
  }

  override get status(): number {
    return this.retryAfterSeconds === undefined ? 429 : super.status;
  }
}
