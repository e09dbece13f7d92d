import { ComityError } from '../base/errors.ts';
import { garbled, readBody, type ServerClient, type Until } from './client.ts';
import { LIMITS } from '../base/limits.ts';

/** What Prometheus's HTTP API answers, as far as it is read here. */
export interface ApiAnswer {
  readonly data: unknown;
  /** Warnings and infos, as they stand. */
  readonly annotations: readonly string[];
}

/** The server's refusal of a request. Its own words may hold label values, so they are not repeated. */
export class ApiError extends ComityError {
  readonly httpStatus: number;

  constructor(code: ComityError['code'], httpStatus: number) {
    super(code, `the server of this domain answers with HTTP status ${httpStatus}`);
    this.httpStatus = httpStatus;
  }
}

/** Calls a path of the JSON API. Throws as `ServerClient.send`, `limit` for a long answer, and `ApiError`. */
export async function callApi(
  client: ServerClient,
  path: string,
  params: URLSearchParams,
  { deadlineMs, signal, isGet = false }: Until & { readonly isGet?: boolean },
): Promise<ApiAnswer> {
  return client.send({ path, params, deadlineMs, signal, isGet }, async ({ status, body }) => {
    const bytes = await readBody(body, LIMITS.upstreamAnswerBytes, 'answerBytes');
    const envelope = parsed(bytes);
    if (status !== 200) throw apiError(status, textOf(envelope?.['errorType']), textOf(envelope?.['error']));
    if (envelope?.['status'] !== 'success') throw garbled('no successful answer');
    const annotations = [envelope['warnings'], envelope['infos']].flatMap(textsOf);
    return { data: envelope['data'], annotations };
  });
}

function parsed(bytes: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/**
 * `errorType` is Prometheus's word for the kind of error, `text` what it says. Server errors and refusals of access mean that
 * the domain's source is not there for now.
 */
export function apiError(status: number, errorType: string, text: string): ApiError {
  return new ApiError(codeOf(status, errorType, text), status);
}

function codeOf(status: number, errorType: string, text: string): ComityError['code'] {
  // The limits of servers have no type of their own.
  if (status < 500 && /too many samples|exceed/.test(text)) return 'limit';
  switch (errorType) {
    case 'timeout':
      return 'timeout';
    case 'execution':
      return 'execution';
    case 'bad_data':
      return 'unsupported';
    default:
      return status === 400 || status === 422 ? 'unsupported' : 'unavailable';
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function textsOf(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((text) => typeof text === 'string') : [];
}
