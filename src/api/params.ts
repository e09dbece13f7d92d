import type { FastifyRequest } from 'fastify';
import { ComityError } from '../base/errors.ts';
import { parseFloatStrict } from '../base/numbers.ts';
import { parseDuration } from '../promql/duration.ts';

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
  if (text === null || text === '') return undefined;
  const seconds = numberOf(text);
  const ms = seconds === undefined ? rfc3339Ms(text) : secondsToMs(seconds);
  if (ms === undefined || !Number.isSafeInteger(ms)) {
    throw invalid(name, `cannot parse ${quoted(text)} to a valid timestamp`);
  }
  return ms;
}

/**
 * A bound of a time range, in ms, or `otherwise` when it is not given. Clients that mean all of time write the farthest
 * times that Go knows, which are no dates of ours: they become infinite.
 */
export function boundParam(params: URLSearchParams, name: string, otherwise: number): number {
  const text = params.get(name) ?? '';
  if (text === GO_MIN_TIME) return -Infinity;
  if (text === GO_MAX_TIME) return Infinity;
  const seconds = numberOf(text);
  if (seconds !== undefined && Math.abs(seconds) > SECONDS_MAX && Math.abs(seconds) <= GO_SECONDS_MAX) {
    return seconds < 0 ? -Infinity : Infinity;
  }
  return timeParam(params, name) ?? otherwise;
}

/** A bound of the times of exemplars, as `boundParam`; Grafana writes it in milliseconds. */
export function exemplarTimeParam(params: URLSearchParams, name: string, otherwise: number): number {
  const ms = boundParam(params, name, otherwise);
  return Number.isFinite(ms) && ms / 1000 >= MILLISECONDS_FROM ? ms / 1000 : ms;
}

/** A duration as seconds (fractions allowed) or in Prometheus's form (`5m`), in whole ms; what is below is cut off. */
export function durationParam(params: URLSearchParams, name: string): number | undefined {
  const text = params.get(name);
  if (text === null || text === '') return undefined;
  const problem = `cannot parse ${quoted(text)} to a valid duration`;
  const seconds = numberOf(text);
  if (seconds !== undefined && !Number.isNaN(seconds)) {
    const ns = seconds * 1e9;
    if (Math.abs(ns) > 2 ** 63) throw invalid(name, `${problem}. It overflows int64`);
    return Math.trunc(Math.trunc(ns) / 1e6);
  }
  if (text.length > PARAM_CHARS) throw invalid(name, problem);
  try {
    return parseDuration(text);
  } catch (error) {
    throw invalid(name, problem, error);
  }
}

/** A switch that is on unless it is said to be off, by `0` or `false`. */
export function switchParam(params: URLSearchParams, name: string): boolean {
  const text = params.get(name);
  return text !== '0' && text !== 'false';
}

export function integerParam(params: URLSearchParams, name: string): number | undefined {
  const text = params.get(name);
  if (text === null || text === '') return undefined;
  if (!/^\d{1,9}$/.test(text)) throw invalid(name, `${quoted(text)} is no whole number of 0 or more`);
  return Number(text);
}

/** A whole number with a sign, as Go's Atoi reads it; at most as long as any sensible one. Throws `bad_data` in Prometheus's words. */
export function numberParam(params: URLSearchParams, name: string): number | undefined {
  const text = params.get(name);
  if (text === null || text === '') return undefined;
  if (!/^[+-]?\d{1,15}$/.test(text)) throw new ComityError('bad_data', `${name} must be a number`);
  return Number(text);
}

export function invalid(name: string, problem: string, cause?: unknown): ComityError {
  return new ComityError('bad_data', `invalid parameter "${name}": ${problem}`, { cause });
}

/** As seconds these would be thousands of years ahead. */
const MILLISECONDS_FROM = 1e11;

/** No number, time or duration is longer. */
const PARAM_CHARS = 64;

/** Prometheus's own least and greatest times (web/api/v1/api.go) as it writes them. */
const GO_MIN_TIME = '-292273086-05-16T16:47:06Z';
const GO_MAX_TIME = '292277025-08-18T07:12:54.999999999Z';

/** Whole ms are exact up to here; Go's seconds go on to 2^63 ms. */
const SECONDS_MAX = Number.MAX_SAFE_INTEGER / 1000;
const GO_SECONDS_MAX = 2 ** 63 / 1000;

const RFC_3339 = /^(\d{4}-\d\d-\d\d)T(\d\d):(\d\d):(\d\d)(?:[.,](\d+))?(?:Z|([+-])(\d\d):(\d\d))$/;

function numberOf(text: string): number | undefined {
  return text.length > PARAM_CHARS ? undefined : parseFloatStrict(text);
}

/** The fraction is rounded on its own, as Prometheus does it: 1.0005 is 1.000 there. */
function secondsToMs(seconds: number): number {
  const whole = Math.trunc(seconds);
  return whole * 1000 + Math.sign(seconds) * Math.round(Math.abs(seconds - whole) * 1000);
}

/** Undefined for what is no time of the calendar, such as February 30 or 24:00, which `Date` would carry over. */
function rfc3339Ms(text: string): number | undefined {
  const match = text.length > PARAM_CHARS ? null : RFC_3339.exec(text);
  if (match === null) return undefined;
  const [, date, hours, minutes, seconds, fraction = '', sign, zoneHours = '0', zoneMinutes = '0'] = match;
  const day = new Date(`${date}T00:00:00Z`);
  if (Number.isNaN(day.getTime()) || day.toISOString().slice(0, 10) !== date) return undefined;
  if (Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 59) return undefined;
  // Go allows a zone to be 24 hours and 60 minutes away.
  if (Number(zoneHours) > 24 || Number(zoneMinutes) > 60) return undefined;
  const zone = (sign === '-' ? -60 : 60) * (Number(zoneHours) * 60 + Number(zoneMinutes));
  const inDay = Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds);
  return day.getTime() + (inDay - zone) * 1000 + Number(fraction.slice(0, 3).padEnd(3, '0'));
}

/** What a caller sent, cut so that no answer repeats all of a long text. */
export function cutText(text: string): string {
  return text.length > PARAM_CHARS ? `${text.slice(0, PARAM_CHARS)}…` : text;
}

function quoted(text: string): string {
  return JSON.stringify(cutText(text));
}
