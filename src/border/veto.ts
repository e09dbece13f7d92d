import type { ReleaseKind } from '../ledger/leaf.ts';
import type { Consumer } from './consumer.ts';
import type { Selected } from './selected.ts';

/**
 * Asked what the policy lets through, before anything is looked up: true for what may go on. Anything else stops it, an error
 * and an answer that does not come in time as well. It cannot let out what the policy does not.
 */
export type Veto = (input: VetoInput, signal: AbortSignal) => Promise<boolean>;

/** What a veto is decided by: names and times, never the value of a matcher. */
export interface VetoInput {
  readonly domain: string;
  readonly consumer: Consumer;
  readonly kind: ReleaseKind;
  readonly fragments: readonly VetoFragment[];
}

export interface VetoFragment {
  /** Spelt out, in order; `*` for a selector that spells none. */
  readonly metrics: readonly string[];
  readonly operators: readonly string[];
  /** Names of the labels that are grouped by, matched or read. */
  readonly labels: readonly string[];
  /** RFC 3339. */
  readonly from: string;
  readonly to: string;
  readonly step_seconds: number;
}

/** Whether the request may go on. Where there is nobody to ask, it may. */
export async function mayGoOn(
  veto: Veto | undefined,
  request: Omit<VetoInput, 'fragments'>,
  selected: readonly Selected[],
  signal: AbortSignal,
): Promise<boolean> {
  if (veto === undefined || selected.length === 0) return true;
  try {
    return (await veto({ ...request, fragments: selected.map(vetoFragment) }, signal)) === true;
  } catch {
    // Whoever asks learns that it was stopped, whatever went wrong; the veto tells its own people more.
    return false;
  }
}

function vetoFragment({ metrics, operators, labels, fromMs, toMs, stepMs }: Selected): VetoFragment {
  const time = (ms: number): string => new Date(Math.min(Math.max(ms, 0), LAST_MS)).toISOString();
  return { metrics, operators, labels, from: time(fromMs), to: time(toMs), step_seconds: stepMs / 1000 };
}

/** The end of the year 9999, the last that RFC 3339 has. */
const LAST_MS = Date.UTC(10_000, 0, 1) - 1;
