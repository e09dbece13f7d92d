import { newTraceparent } from '../../base/traceparent.ts';
import { decodeStatusAnswer } from '../../plan/frames/status-codec.ts';
import type { Domain, Replica } from '../registry.ts';
import { attempt } from './attempt.ts';
import { pause, startCall } from './call.ts';

/**
 * Asks a replica how it is, over and over; stops with `signal`. Each has a loop of its own, so none waits for another. A
 * replica that is heard again is tried with the next request.
 */
export async function heartbeatLoop(
  domain: Domain,
  replica: Replica,
  everyMs: number,
  signal: AbortSignal,
): Promise<void> {
  const prepared = { body: () => new Uint8Array(0), decode: decodeStatusAnswer };
  while (!signal.aborted) {
    const call = startCall(Date.now() + everyMs * 2, signal);
    const asked = { endpoint: 'status', prepared, trace: newTraceparent() } as const;
    const startedMs = performance.now();
    const { answer, isWell } = await attempt(domain.config.name, replica, replica.heartbeat, asked, call);
    call.end();
    if (signal.aborted) return;
    replica.reachable = answer.ok;
    if (answer.ok) {
      replica.breaker.heard();
      const tookMs = performance.now() - startedMs;
      replica.roundTripMs = tookMs * SMOOTHING + (replica.roundTripMs ?? tookMs) * (1 - SMOOTHING);
    } else if (isWell !== true) replica.breaker.missed(answer.reason);
    await pause(everyMs, signal);
  }
}

/** Weight of the latest of a smoothed time. */
const SMOOTHING = 0.2;
