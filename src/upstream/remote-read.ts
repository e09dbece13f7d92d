import protobuf from 'protobufjs';
import { parseDocument } from 'yaml';
import { ComityError } from '../base/errors.ts';
import { labelValue, withLabel } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import type { SeriesColumns } from '../model/series.ts';
import { snappyDecoder } from '../wire/snappy.ts';
import { apiError, callApi } from './api.ts';
import { garbled, readBody, tooMuch, type ServerClient, type Until } from './client.ts';
import { LIMITS } from '../base/limits.ts';
import { recordOf } from './matrix.ts';
import { readReadResponse } from './read-response.ts';
import type { ReadBudget } from './samples.ts';

/** Samples as the server keeps them: those in [fromMs, toMs] of the series that its own labels satisfy all matchers of. */
export interface RawQuery {
  readonly matchers: readonly Matcher[];
  readonly fromMs: number;
  readonly toMs: number;
}

/**
 * Reads raw samples by Prometheus's remote read (https://prometheus.io/docs/prometheus/latest/querying/remote_read_api/):
 * with staleness markers, any NaN and native histograms.
 *
 * The server adds its external labels to what it hands out, as if they were the series' own, and takes matchers on them for
 * its own too. So each query is asked once for each way in which series can have those labels themselves or not.
 */
export async function remoteRead(
  client: ServerClient,
  queries: readonly RawQuery[],
  budget: ReadBudget,
  until: Until,
): Promise<readonly (readonly SeriesColumns[])[]> {
  for (;;) {
    const names = await externalLabels(client, until);
    const ways = subsets(names);
    const asked = queries.flatMap((query) =>
      ways.map((own) => ({ ...query, matchers: asksFor(query.matchers, names, own) })),
    );
    const results = await postRead(client, asked, budget, until);
    // A server that was given other labels in the meantime has answered by those.
    const after = await externalLabels(client, until);
    if (String(after) !== String(names)) continue;
    return queries.map((_query, i) => {
      const parts = ways.map((own, way) => {
        const added = names.filter((name) => !own.includes(name));
        return results[i * ways.length + way]!.map((series) => withoutAdded(series, added));
      });
      return parts.flat();
    });
  }
}

/** The names of the labels that the server adds for others, from its configuration. */
async function externalLabels(client: ServerClient, until: Until): Promise<readonly string[]> {
  const { data } = await callApi(client, '/api/v1/status/config', new URLSearchParams(), { ...until, isGet: true });
  const { yaml } = recordOf(data);
  if (typeof yaml !== 'string') throw garbled('its configuration');
  const document: unknown = parseDocument(yaml).toJS({ maxAliasCount: 0 });
  const { global = {} } = recordOf(document ?? {});
  const names = Object.keys(recordOf(recordOf(global ?? {})['external_labels'] ?? {})).sort();
  if (names.length > LIMITS.upstreamExternalLabels) {
    throw tooMuch(LIMITS.upstreamExternalLabels, 'external labels', 'externalLabels');
  }
  return names;
}

function subsets(names: readonly string[]): readonly (readonly string[])[] {
  return names.reduce<readonly (readonly string[])[]>(
    (sets, name) => sets.flatMap((set) => [set, [...set, name]]),
    [[]],
  );
}

/** Matchers for series that have the external labels `own` themselves and lack the other ones. */
function asksFor(matchers: readonly Matcher[], names: readonly string[], own: readonly string[]): readonly Matcher[] {
  const presence = names.map((name): Matcher =>
    own.includes(name) ? { name, op: '!=', value: '' } : { name, op: '=~', value: '' },
  );
  // Equality is what the server would take for a question about its own label.
  const patterns = matchers.map((matcher): Matcher =>
    names.includes(matcher.name) && matcher.op === '='
      ? { ...matcher, op: '=~', value: escaped(matcher.value) }
      : matcher,
  );
  return [...patterns, ...presence];
}

function escaped(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
}

function withoutAdded(series: SeriesColumns, added: readonly string[]): SeriesColumns {
  let { labels } = series;
  for (const name of added) if (labelValue(labels, name) !== '') labels = withLabel(labels, name, '');
  return { ...series, labels };
}

const HEADERS = {
  'content-type': 'application/x-protobuf',
  'content-encoding': 'snappy',
  'accept-encoding': 'snappy',
  'x-prometheus-remote-read-version': '0.1.0',
};

async function postRead(
  client: ServerClient,
  queries: readonly RawQuery[],
  budget: ReadBudget,
  until: Until,
): Promise<SeriesColumns[][]> {
  const body = { bytes: snappyLiterals(encodeReadRequest(queries)), headers: HEADERS };
  return client.send({ path: '/api/v1/read', body, ...until }, async ({ status, body: answer }) => {
    if (status !== 200) {
      // It says 400 for more samples than its own limit allows.
      if (status === 400) throw new ComityError('limit', 'the server of this domain does not hand out so many samples');
      throw apiError(status, '', '');
    }
    const zipped = await readBody(answer, budget.bytes, 'readBytes');
    const bytes = unzipped(zipped, budget);
    budget.bytes -= bytes.length;
    const results = readReadResponse(bytes, budget);
    if (results.length !== queries.length) throw garbled('the number of its results');
    return results;
  });
}

function unzipped(zipped: Uint8Array, budget: ReadBudget): Uint8Array {
  try {
    return snappyDecoder(budget.bytes).decode(zipped);
  } catch (error) {
    if (error instanceof ComityError && error.code === 'body_too_large') {
      throw tooMuch(LIMITS.upstreamReadBytes, 'bytes', 'readBytes');
    }
    throw garbled('what is no Snappy');
  }
}

const MATCHER_TYPES = { '=': 0, '!=': 1, '=~': 2, '!~': 3 } as const;

/** A ReadRequest (prometheus/prompb/remote.proto) for plain samples. */
function encodeReadRequest(queries: readonly RawQuery[]): Uint8Array {
  const writer = new protobuf.Writer();
  for (const { matchers, fromMs, toMs } of queries) {
    writer.uint32(0x0a).fork();
    writer.uint32(0x08).int64(clamped(fromMs));
    writer.uint32(0x10).int64(clamped(toMs));
    for (const { name, op, value } of matchers) {
      writer.uint32(0x1a).fork();
      writer.uint32(0x08).int32(MATCHER_TYPES[op]);
      writer.uint32(0x12).string(name);
      writer.uint32(0x1a).string(value);
      writer.ldelim();
    }
    writer.ldelim();
  }
  return writer.finish();
}

/** Times that the server can work with, whatever is added to them. */
function clamped(ms: number): number {
  return Math.max(-TIME_MAX, Math.min(TIME_MAX, Math.trunc(ms)));
}

const TIME_MAX = 2 ** 52;

/** Snappy's block format without any compression: requests are short. */
function snappyLiterals(bytes: Uint8Array): Uint8Array {
  const writer = new protobuf.Writer().uint32(bytes.length);
  const parts: Uint8Array[] = [writer.finish()];
  for (let at = 0; at < bytes.length; at += LITERAL_BYTES) {
    const piece = bytes.subarray(at, at + LITERAL_BYTES);
    const length = piece.length - 1;
    // A literal whose length, less one, stands in the two bytes after the tag.
    parts.push(Uint8Array.of(61 << 2, length & 0xff, length >> 8), piece);
  }
  return Buffer.concat(parts);
}

const LITERAL_BYTES = 65_536;
