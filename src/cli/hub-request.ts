import { request } from 'undici';
import { ComityError, messageOf } from '../base/errors.ts';

/** More than any answer that people look at. */
const BYTES_MAX = 256 * 1024 * 1024;

/** Prometheus's envelope around an answer. */
export interface Envelope<Data> {
  readonly status?: string;
  readonly error?: string;
  readonly data?: Data;
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
}

/** The parameters of a query that options of a command name; `end` is now when left out. */
export function queryParams(
  query: string,
  options: { readonly [Name in 'time' | 'start' | 'end' | 'step' | 'approx' | 'timeout']?: string },
): URLSearchParams {
  const { time, start, end, step, approx, timeout } = options;
  const params = new URLSearchParams({ query });
  if (approx !== undefined) params.set('approx', approx);
  if (timeout !== undefined) params.set('timeout', timeout);
  if (start === undefined) {
    if (time !== undefined) params.set('time', time);
    return params;
  }
  params.set('start', start);
  params.set('end', end ?? String(Date.now() / 1000));
  params.set('step', step ?? '15s');
  return params;
}

/** What a hub, or an agent, answers to a form. Throws `unavailable` when nobody answers, and `limit`. */
export async function postForm(url: string, params: URLSearchParams): Promise<string> {
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

/** Reads an answer of `url`. Throws `bad_data` for what is no JSON. */
export function readEnvelope<Data>(text: string, url: string): Envelope<Data> {
  try {
    return JSON.parse(text) as Envelope<Data>;
  } catch (error) {
    throw new ComityError('bad_data', `${url} did not answer with JSON; is it a hub?`, { cause: error });
  }
}

/** The address of a path of a hub's API. */
export function apiUrl(hub: string, path: string): string {
  return `${hub.replace(/\/+$/, '')}/api/v1/${path}`;
}
