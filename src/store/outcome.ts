import type { RejectReason } from '../model/batch.ts';

/** What becomes of a row or point: stored, repeated, or rejected for a reason. */
export type Outcome = typeof STORED | typeof REPEATED | RejectReason;
export const STORED = 'stored';
export const REPEATED = 'repeated';
