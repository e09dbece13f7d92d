import type { Recorder } from '../ledger/recorder.ts';
import type { Labels } from '../model/labels.ts';
import type { Refusal } from '../plan/frames/refusal-codec.ts';
import type { Policy } from '../policy/document.ts';
import { bytesLeft, OVER_BUDGET } from './budget.ts';

const OVER_ROWS: Refusal = { code: 'limit', name: 'answer_rows' };
const OVER_BYTES: Refusal = { code: 'limit', name: 'answer_bytes' };
const OVER_VALUES: Refusal = { code: 'limit', name: 'label_values' };

/**
 * Values that a label has in one answer where it leaves because the tables of labels call it public. A `route` of more is a
 * path with ids in it, and the policy must name a label that is to have so many.
 */
const PUBLIC_VALUES_MAX = 200;

/** Labels of which there are many by their nature. */
const STRUCTURAL: ReadonlySet<string> = new Set(['__name__', 'le', 'quantile', 'job']);

/** Whether a label that no document of the policy names has more values than one that it need not name may have. */
export function checkValues(rows: Iterable<{ readonly labels: Labels }>, policy: Policy): Refusal | undefined {
  if (policy.permitsAllLabels) return undefined;
  const values = new Map<string, Set<string> | undefined>();
  for (const { labels } of rows) {
    for (let i = 0; i < labels.length; i += 2) {
      const name = labels[i]!;
      if (!values.has(name)) values.set(name, isCapped(name, policy) ? new Set() : undefined);
      const own = values.get(name)?.add(labels[i + 1]!);
      if (own !== undefined && own.size > PUBLIC_VALUES_MAX) return OVER_VALUES;
    }
  }
  return undefined;
}

/** The same for the values of one label. */
export function checkListedValues(name: string, values: readonly string[], policy: Policy): Refusal | undefined {
  return isCapped(name, policy) && values.length > PUBLIC_VALUES_MAX ? OVER_VALUES : undefined;
}

/** Whether an answer of so many rows has more than the policy lets out at once. */
export function checkRowCount(rows: number, { limits }: Policy): Refusal | undefined {
  return rows > limits.answerRows ? OVER_ROWS : undefined;
}

/** Whether an answer of so many bytes has more than the policy lets out at once, or than is left of the day's. */
export function checkByteCount(bytes: number, policy: Policy, recorder: Recorder): Refusal | undefined {
  if (bytes > policy.limits.answerBytes) return OVER_BYTES;
  return bytes > bytesLeft(policy, recorder) ? OVER_BUDGET : undefined;
}

function isCapped(name: string, policy: Policy): boolean {
  return !STRUCTURAL.has(name) && !policy.listsLabel(name);
}
