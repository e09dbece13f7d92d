import { newTraceparent } from '../../base/traceparent.ts';
import { newRequestId } from '../../plan/frames/request-id.ts';
import { decodeStatusAnswer, encodeStatusRequest } from '../../plan/frames/status-codec.ts';
import { tieCheckpoints } from '../ledgers/tie.ts';
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
  while (!signal.aborted) {
    const asking = { id: newRequestId() };
    const prepared = {
      body: () => encodeStatusRequest(asking.id),
      decode: (bytes: Uint8Array) => decodeStatusAnswer(bytes, asking),
    };
    replica.ledger.refresh();
    const call = startCall(Date.now() + everyMs * 2, signal);
    const asked = { endpoint: 'status', prepared, trace: newTraceparent() } as const;
    const startedMs = performance.now();
    const { answer, isWell } = await attempt(domain.config.name, replica, replica.heartbeat, asked, call);
    if (signal.aborted) return call.end();
    replica.reachable = answer.ok;
    if (answer.ok) {
      replica.breaker.heard();
      const tookMs = performance.now() - startedMs;
      replica.roundTripMs = tookMs * SMOOTHING + (replica.roundTripMs ?? tookMs) * (1 - SMOOTHING);
    } else if (isWell !== true) replica.breaker.missed(answer.reason);
    // While it is gone it proves nothing, and need not.
    if (answer.ok || replica.ledger.isOverdue()) await tieCheckpoints(replica, call.signal);
    call.end();
    await pause(everyMs, signal);
  }
}

/** Weight of the latest of a smoothed time. */
const SMOOTHING = 0.2;
