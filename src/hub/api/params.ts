import type { FastifyRequest } from 'fastify';
import { ComityError } from '../../base/errors.ts';
import { parseDuration } from '../../promql/duration.ts';

/** The parameters of a request: the URL's and, for a form POST, the body's, which come first as in Go's net/http. */
export function requestParams(request: FastifyRequest): URLSearchParams {
  const params = new URLSearchParams(request.body instanceof URLSearchParams ? request.body : undefined);
  const query = request.url.indexOf('?');
  if (query >= 0)
    for (const [name, value] of new URLSearchParams(request.url.slice(query + 1))) params.append(name, value);
  return params;
}

/** A parameter that must be there. Throws `bad_data` naming it. */
export function requiredParam(params: URLSearchParams, name: string): string {
  const value = params.get(name);
  if (value === null || value === '') throw invalid(name, 'it is missing');
  return value;
}

/** A time as Unix seconds (fractions allowed) or RFC 3339, in whole ms. */
export function timeParam(params: URLSearchParams, name: string): number | undefined {
  const text = params.get(name);
  return text === null || text === '' ? undefined : parseTime(name, text);
}

/** A duration as seconds (fractions allowed) or in Prometheus's form (`5m`), in ms. */
export function durationParam(params: URLSearchParams, name: string): number | undefined {
  const text = params.get(name);
  if (text === null || text === '') return undefined;
  if (/^[+-]?\d*\.?\d+(e[+-]?\d+)?$/i.test(text)) return Math.round(Number(text) * 1000);
  try {
    return parseDuration(text);
  } catch (error) {
    throw invalid(name, `cannot parse "${text}" to a valid duration`, error);
  }
}

/** The same, which must be longer than nothing. */
export function positiveDuration(params: URLSearchParams, name: string): number | undefined {
  const ms = durationParam(params, name);
  if (ms !== undefined && !(ms > 0)) throw invalid(name, 'it must be longer than 0');
  return ms;
}

export function integerParam(params: URLSearchParams, name: string): number | undefined {
  const text = params.get(name);
  if (text === null || text === '') return undefined;
  if (!/^\d{1,9}$/.test(text)) throw invalid(name, `"${text}" is no whole number of 0 or more`);
  return Number(text);
}

export function invalid(name: string, problem: string, cause?: unknown): ComityError {
  return new ComityError('bad_data', `invalid parameter "${name}": ${problem}`, { cause });
}

function parseTime(name: string, text: string): number {
  if (/^[+-]?\d*\.?\d+(e[+-]?\d+)?$/i.test(text)) {
    const ms = Math.round(Number(text) * 1000);
    if (Number.isSafeInteger(ms)) return ms;
  } else if (/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text)) {
    const ms = Date.parse(text);
    if (!Number.isNaN(ms)) return ms;
  }
  throw invalid(name, `cannot parse "${text}" to a valid timestamp`);
}
