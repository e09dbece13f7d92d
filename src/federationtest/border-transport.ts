import {
  releaseError,
  releaseExemplars,
  releaseExplain,
  releaseLabels,
  releaseMetadata,
  releaseQuery,
  releaseSeries,
  releaseStatus,
  type Border,
} from '../border/release.ts';
import { openReleased, type Released } from '../border/released.ts';
import { toComityError } from '../base/errors.ts';
import type { Endpoint, Transport } from '../hub/transport.ts';
import { decodeQueryRequest } from '../plan/frames/query-codec.ts';
import { decodeExemplarsRequest } from '../plan/frames/exemplars-codec.ts';
import { decodeLabelsRequest } from '../plan/frames/labels-codec.ts';
import { decodeMetadataRequest } from '../plan/frames/metadata-codec.ts';
import { decodeSeriesRequest } from '../plan/frames/series-codec.ts';

/**
 * The way from a hub to a border in the same process: bytes in, bytes out, as over HTTP. While `isSilent` says so it fails as
 * a network does in which the domain's machine is gone.
 */
export function borderTransport(border: Border, isSilent: () => boolean): Transport {
  return {
    async send(endpoint, body, { signal }) {
      if (isSilent()) throw Object.assign(new Error('host not found'), { code: 'ENOTFOUND' });
      try {
        const { bytes } = openReleased(await release(endpoint, body, border, signal));
        return { statusCode: 200, bytes, wireBytes: bytes.length };
      } catch (error) {
        const known = toComityError(error);
        if (known.code === 'internal') throw known;
        const { bytes } = openReleased(releaseError(known));
        return { statusCode: known.status, bytes, wireBytes: bytes.length };
      }
    },
    close: async () => undefined,
  };
}

async function release(endpoint: Endpoint, body: Uint8Array, border: Border, signal: AbortSignal): Promise<Released> {
  switch (endpoint) {
    case 'query':
      return releaseQuery(decodeQueryRequest(body), border, signal);
    case 'labels':
      return releaseLabels(decodeLabelsRequest(body), border, signal);
    case 'series':
      return releaseSeries(decodeSeriesRequest(body), border, signal);
    case 'metadata':
      return releaseMetadata(decodeMetadataRequest(body), border, signal);
    case 'exemplars':
      return releaseExemplars(decodeExemplarsRequest(body), border, signal);
    case 'explain':
      return releaseExplain(decodeQueryRequest(body), border, signal);
    case 'status':
      return releaseStatus(border);
  }
}
