import { ComityError } from '../base/errors.ts';
import type { Explanation } from '../hub/explain.ts';
import { apiUrl, postForm, readEnvelope } from './hub-request.ts';

/** Asks a hub to explain a query. Throws `unavailable` when nobody answers, else what the hub says as `execution`. */
export async function askExplanation(hub: string, params: URLSearchParams): Promise<Explanation> {
  const url = apiUrl(hub, 'explain');
  const envelope = readEnvelope<Explanation>(await postForm(url, params), url);
  if (envelope.status === 'success' && envelope.data !== undefined) return envelope.data;
  throw new ComityError('execution', envelope.error ?? `${url} gave no reason`);
}
