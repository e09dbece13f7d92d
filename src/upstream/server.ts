import { ComityError } from '../base/errors.ts';
import { FEATURE_NAMES } from '../promql/features.ts';
import { ApiError, callApi } from './api.ts';
import type { ServerClient, Until } from './client.ts';
import { recordOf } from './matrix.ts';

/** What kind of server it is, as far as it matters how it is asked. */
export type Engine = 'prometheus' | 'victoriametrics';

/** What is known of a server. */
export interface Server {
  readonly engine: Engine;
  /** Whether its windows are those of Prometheus 3.x, so that it can be asked to evaluate. */
  readonly evaluates: boolean;
  /** Experimental parts of PromQL that are enabled, by Prometheus's names. */
  readonly features: ReadonlySet<string>;
}

/** Asks a server what it is. `engine`: what it is said to be; otherwise it is found out. Throws `unavailable`. */
async function identify(client: ServerClient, engine: Engine | undefined, until: Until): Promise<Server> {
  const kind = engine ?? ((await speaksMetricsQl(client, until)) ? 'victoriametrics' : 'prometheus');
  if (kind === 'victoriametrics') return { engine: kind, evaluates: false, features: new Set() };
  const [evaluates, features] = await Promise.all([hasOpenWindows(client, until), enabledFeatures(client, until)]);
  return { engine: kind, evaluates, features };
}

/** `default` is an operator of MetricsQL, and no PromQL. */
async function speaksMetricsQl(client: ServerClient, until: Until): Promise<boolean> {
  return (await probe('1 default 2', client, until)) !== undefined;
}

/**
 * Prometheus 3 leaves the start of a window out, so that two minutes hold two of the times that are a minute apart, and not
 * three as in Prometheus 2.
 */
async function hasOpenWindows(client: ServerClient, until: Until): Promise<boolean> {
  const found = await probe('count_over_time(vector(1)[2m:1m] @ 600)', client, until);
  return found !== undefined && /^\[.*"2"\]$/.test(JSON.stringify(valueOf(found)));
}

function valueOf(data: unknown): unknown {
  const { result } = recordOf(data);
  return Array.isArray(result) && result.length === 1 ? recordOf(result[0])['value'] : [];
}

/** The answer to an instant query; undefined where the server cannot read it. */
async function probe(query: string, client: ServerClient, until: Until): Promise<unknown> {
  try {
    return (await callApi(client, '/api/v1/query', new URLSearchParams({ query, time: '600' }), until)).data;
  } catch (error) {
    if (error instanceof ApiError && error.code !== 'unavailable') return undefined;
    throw error;
  }
}

/** From the command line of Prometheus; servers that tell nothing of theirs have none. */
async function enabledFeatures(client: ServerClient, until: Until): Promise<ReadonlySet<string>> {
  const [flags, features] = await Promise.all([
    optional(client, '/api/v1/status/flags', until),
    optional(client, '/api/v1/features', until),
  ]);
  const enabled = flags['enable-feature'];
  const named = typeof enabled === 'string' ? enabled.split(',') : [];
  const promql = Object.entries(recordOrNone(features['promql']))
    .filter(([, on]) => on === true)
    .map(([name]) => PROMQL_FEATURES[name] ?? '');
  return new Set([...named, ...promql].filter((name) => FEATURE_NAMES.includes(name)));
}

/** The words of /api/v1/features for what changes how the language is evaluated. */
const PROMQL_FEATURES: Readonly<Record<string, string>> = {
  delayed_name_removal: 'promql-delayed-name-removal',
  type_and_unit_labels: 'type-and-unit-labels',
};

async function optional(client: ServerClient, path: string, until: Until): Promise<Record<string, unknown>> {
  try {
    return recordOrNone((await callApi(client, path, new URLSearchParams(), { ...until, isGet: true })).data);
  } catch (error) {
    if (error instanceof ApiError && NOT_THERE.has(error.httpStatus)) return {};
    throw error;
  }
}

const NOT_THERE: ReadonlySet<number> = new Set([400, 401, 403, 404, 405, 501]);

function recordOrNone(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

/** Asks what a server is when it is needed, and again after a while: it may be another by then. */
export function knownServer(client: ServerClient, engine: Engine | undefined): (until: Until) => Promise<Server> {
  let known: { readonly server: Server; readonly untilMs: number } | undefined;
  return async (until) => {
    if (known !== undefined && Date.now() < known.untilMs) return known.server;
    const server = await identify(client, engine, until).catch((error: unknown) => {
      if (error instanceof ComityError) throw error;
      throw new ComityError('unavailable', 'the server of this domain does not tell what it is', { cause: error });
    });
    known = { server, untilMs: Date.now() + KNOWN_MS };
    return server;
  };
}

const KNOWN_MS = 60_000;
