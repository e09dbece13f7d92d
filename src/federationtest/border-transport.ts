import { randomBytes } from 'node:crypto';
import { toComityError } from '../base/errors.ts';
import type { Border } from '../border/border.ts';
import type { Asked } from '../border/consumer.ts';
import { releaseError } from '../border/release-error.ts';
import { releaseExemplars, releaseLabels, releaseMetadata, releaseSeries } from '../border/release-lists.ts';
import { releaseExplain, releaseLedger, releaseQuery, releaseStatus } from '../border/release.ts';
import { openReleased, type Released } from '../border/released.ts';
import type { Endpoint, Transport } from '../hub/transport.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { ledgerOrigin, openLedger } from '../ledger/open-ledger.ts';
import { openRecorder, type Recorder } from '../ledger/recorder.ts';
import { decodeExemplarsRequest } from '../plan/frames/exemplars-codec.ts';
import { decodeLabelsRequest } from '../plan/frames/labels-codec.ts';
import { decodeLedgerRequest } from '../plan/frames/ledger-codec.ts';
import { decodeMetadataRequest } from '../plan/frames/metadata-codec.ts';
import { decodeQueryRequest } from '../plan/frames/query-codec.ts';
import { decodeSeriesRequest } from '../plan/frames/series-codec.ts';
import { decodeStatusRequest } from '../plan/frames/status-codec.ts';

/** A ledger in memory and who writes to it: what a border of a domain in this process records with. */
export async function memoryLedger(domain: string): Promise<{ readonly recorder: Recorder; readonly ledger: Ledger }> {
  const agent = 'agent-1';
  const ledger = await openLedger({ path: ':memory:', origin: ledgerOrigin(domain, agent) });
  const recorder = await openRecorder(ledger, { domain, agent, consumerKey: randomBytes(32), now: Date.now });
  return { recorder, ledger };
}

/**
 * The way from a hub to a border in the same process: bytes in, bytes out, as over HTTP. While `isSilent` says so it fails as
 * a network does in which the domain's machine is gone.
 */
export function borderTransport(border: Border, isSilent: () => boolean): Transport {
  return {
    async send(endpoint, body, { signal }) {
      if (isSilent()) throw Object.assign(new Error('host not found'), { code: 'ENOTFOUND' });
      const asked = { body, consumer: { name: 'hub', jurisdiction: 'test' } };
      try {
        const { bytes } = openReleased(await release(endpoint, asked, border, signal));
        return { statusCode: 200, bytes, wireBytes: bytes.length };
      } catch (error) {
        const known = toComityError(error);
        if (known.code === 'internal') throw known;
        const { bytes } = openReleased(await releaseError(known, asked, border));
        return { statusCode: known.status, bytes, wireBytes: bytes.length };
      }
    },
    close: async () => undefined,
  };
}

async function release(endpoint: Endpoint, asked: Asked, border: Border, signal: AbortSignal): Promise<Released> {
  const { body } = asked;
  switch (endpoint) {
    case 'query':
      return releaseQuery(decodeQueryRequest(body), asked, border, signal);
    case 'labels':
      return releaseLabels(decodeLabelsRequest(body), asked, border, signal);
    case 'series':
      return releaseSeries(decodeSeriesRequest(body), asked, border, signal);
    case 'metadata':
      return releaseMetadata(decodeMetadataRequest(body), asked, border, signal);
    case 'exemplars':
      return releaseExemplars(decodeExemplarsRequest(body), asked, border, signal);
    case 'explain':
      return releaseExplain(decodeQueryRequest(body), asked, border, signal);
    case 'status':
      return releaseStatus(decodeStatusRequest(body), asked, border);
    case 'ledger':
      return releaseLedger(decodeLedgerRequest(body), border);
  }
}
