import type { Recorder } from '../ledger/recorder.ts';
import type { Refusal } from '../plan/frames/refusal-codec.ts';
import type { Policy } from '../policy/document.ts';

/** Bytes of answers that are being recorded, which the recorder does not count yet. */
const underWay = new WeakMap<Recorder, number>();

/** Bytes that may still leave today (UTC) by the policy, of all consumers; at least 0. */
export function bytesLeft({ limits }: Policy, recorder: Recorder): number {
  if (limits.bytesPerDay === Infinity) return Infinity;
  return Math.max(0, limits.bytesPerDay - recorder.bytesToday() - (underWay.get(recorder) ?? 0));
}

/** Whether there is nothing left of the day's bytes. */
export function checkBudget(policy: Policy, recorder: Recorder): Refusal | undefined {
  return bytesLeft(policy, recorder) > 0 ? undefined : OVER_BUDGET;
}

export const OVER_BUDGET: Refusal = { code: 'budget', name: 'bytes_per_day' };

/** Counts the bytes for as long as they are being recorded, so that answers made at once do not each take what is left. */
export async function whileUnderWay<T>(recorder: Recorder, bytes: number, record: () => Promise<T>): Promise<T> {
  const change = (by: number): void => {
    underWay.set(recorder, (underWay.get(recorder) ?? 0) + by);
  };
  change(bytes);
  try {
    return await record();
  } finally {
    change(-bytes);
  }
}
