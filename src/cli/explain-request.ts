import { request } from 'undici';
import { ComityError, messageOf } from '../base/errors.ts';
import type { Explanation } from '../hub/explain.ts';

/** Answers of the hub are a few kilobytes a fragment. */
const BYTES_MAX = 64 * 1024 * 1024;

/** Asks a hub to explain a query. Throws `unavailable` when nobody answers, else what the hub says as `execution`. */
export async function askExplanation(hub: string, params: URLSearchParams): Promise<Explanation> {
  const url = `${hub.replace(/\/+$/, '')}/api/v1/explain`;
  const text = await post(url, params);
  const envelope = readEnvelope(text, url);
  if (envelope.status === 'success' && envelope.data !== undefined) return envelope.data;
  throw new ComityError('execution', envelope.error ?? `${url} gave no reason`);
}

/** The parameters of a query that options of a command name; `end` is now when left out. */
export function queryParams(
  query: string,
  options: { readonly [Name in 'time' | 'start' | 'end' | 'step' | 'approx']?: string },
): URLSearchParams {
  const { time, start, end, step, approx } = options;
  const params = new URLSearchParams({ query });
  if (approx !== undefined) params.set('approx', approx);
  if (start === undefined) {
    if (time !== undefined) params.set('time', time);
    return params;
  }
  params.set('start', start);
  params.set('end', end ?? String(Date.now() / 1000));
  params.set('step', step ?? '15s');
  return params;
}

async function post(url: string, params: URLSearchParams): Promise<string> {
  try {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const response = await request(url, { method: 'POST', headers, body: params.toString() });
    let text = '';
    for await (const chunk of response.body.setEncoding('utf8')) {
      text += String(chunk);
      if (text.length > BYTES_MAX) throw new ComityError('limit', `${url} answers with more than ${BYTES_MAX} bytes`);
    }
    return text;
  } catch (error) {
    if (error instanceof ComityError) throw error;
    const reason = (error as { code?: string }).code ?? messageOf(error);
    throw new ComityError('unavailable', `no hub answers at ${url} (${reason}). Name one with --hub or COMITY_HUB`, {
      cause: error,
    });
  }
}

function readEnvelope(text: string, url: string): { status?: string; error?: string; data?: Explanation } {
  try {
    return JSON.parse(text) as { status?: string; error?: string; data?: Explanation };
  } catch (error) {
    throw new ComityError('bad_data', `${url} did not answer with JSON; is it a hub?`, { cause: error });
  }
}
