import { ComityError, messageOf } from '../../base/errors.ts';
import { newTraceparent } from '../../base/traceparent.ts';
import { decodeLedgerAnswer, encodeLedgerRequest } from '../../plan/frames/ledger-codec.ts';
import { newRequestId } from '../../plan/frames/request-id.ts';
import { unlessAborted } from '../dispatch/call.ts';
import type { Replica } from '../registry.ts';

/**
 * Asks an agent to prove that its ledger only grew from each checkpoint to the next of those that were seen since the last
 * time. Whatever goes wrong is noted with the ledger, never an exception. Stops with `signal`.
 */
export async function tieCheckpoints({ ledger, heartbeat }: Replica, signal: AbortSignal): Promise<void> {
  try {
    for (let sizes = ledger.untied(); sizes.length > 0; sizes = ledger.untied()) {
      const before = ledger.view().pending;
      const request = { sizes, id: newRequestId() };
      const context = { signal, trace: newTraceparent() };
      const sent = await unlessAborted(heartbeat.send('ledger', encodeLedgerRequest(request), context), signal);
      if (sent.statusCode !== 200) throw new ComityError('unavailable', `the agent answered ${sent.statusCode}`);
      ledger.tie(sizes, decodeLedgerAnswer(sent.bytes, request));
      // What could not be written down is tried again with the next heartbeat.
      if (ledger.view().pending >= before) return;
    }
  } catch (error) {
    ledger.notTied(messageOf(error));
  }
}
