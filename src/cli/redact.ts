import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { Command, Option } from 'commander';
import { readAgentConfig } from '../agent/config.ts';
import { readText } from '../base/config.ts';
import { ComityError, messageOf } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { AdmitCount } from '../policy/admit-counts.ts';
import { admission, type CountedAdmission } from '../policy/admit.ts';
import { parsePolicy } from '../policy/document.ts';
import { domainKeys, openDomainKeys, ROOT_BYTES } from '../policy/domain-key.ts';
import { decodeMetricsRequest, decodeTraceRequest, type OtlpFormat } from '../wire/otlp/decode.ts';
import { aligned } from './query-table.ts';
import { diffText } from './redact-diff.ts';
import { redactExposition, redactMetrics, type RedactedSeries, type SeriesPlace } from './redact-series.ts';
import { redactSpans, type RedactedSpans } from './redact-spans.ts';

interface Options {
  readonly config?: string;
  readonly signal?: Signal;
  readonly contentType?: string;
  readonly json?: boolean;
}

type Signal = 'traces' | 'metrics' | 'exposition';

/** `comity redact FILE`: what admission makes of telemetry. */
export function redactCommand(): Command {
  return new Command('redact')
    .description(
      'Show what an agent would store of telemetry: OTLP as JSON or protobuf, or what a target exposes to Prometheus.',
    )
    .argument('<file>', 'the file; - reads standard input')
    .option('--config <file>', 'an agent’s configuration: its policy’s words and its domain’s key count')
    .addOption(
      new Option('--signal <name>', 'what the file holds, where that cannot be seen').choices([
        'traces',
        'metrics',
        'exposition',
      ]),
    )
    .option('--content-type <type>', 'of an exposition, such as application/openmetrics-text')
    .option('--json', 'print what is stored, and the decisions, as JSON')
    .addHelpText(
      'after',
      '\nThe diff shows what was said too: keep it where the file may be. --json shows only what is stored.\n' +
        'Without --config pseudonyms are made under a key of this run alone.',
    )
    .action((path: string, options: Options) => {
      const body = bodyOf(path);
      const place = placeOf(options.config);
      const redacted = redact(body, options, place, path);
      const counts = place.admission.counts();
      const text =
        options.json === true
          ? JSON.stringify({ stored: redacted.stored, rejected: redacted.rejected, decisions: counts })
          : redactedText(redacted, counts);
      process.stdout.write(`${text}\n`);
    });
}

function placeOf(path: string | undefined): SeriesPlace {
  if (path === undefined) {
    const keys = domainKeys(randomBytes(ROOT_BYTES));
    return { domain: 'domain', domainLabel: 'domain', admission: admission({ keys, domainLabel: 'domain' }) };
  }
  const config = readAgentConfig(path);
  const { domain, domainLabel = 'domain' } = config;
  const policy = parsePolicy(readText(config.policy), config.policy, domain, domainLabel);
  return { domain, domainLabel, admission: admission({ keys: keysOf(config), domainLabel, words: policy.admit }) };
}

/** The domain's own keys where it has any: an agent that has not run yet gets none from here. */
function keysOf({ store, domainKey = `${store.replace(/\.sqlite$/, '')}.key` }: ReturnType<typeof readAgentConfig>) {
  return existsSync(domainKey) ? openDomainKeys(domainKey) : domainKeys(randomBytes(ROOT_BYTES));
}

function redact(
  body: Buffer,
  { signal, contentType }: Options,
  place: SeriesPlace,
  path: string,
): RedactedSpans | RedactedSeries {
  try {
    const format = isJson(body) ? 'json' : 'protobuf';
    switch (signal ?? signalOf(body, format, contentType)) {
      case 'traces':
        return redactSpans(decodeTraceRequest(body, format), place.admission);
      case 'metrics':
        return redactMetrics(decodeMetricsRequest(body, format), place);
      case 'exposition':
        return redactExposition(body, contentType ?? expositionType(body), place);
    }
  } catch (error) {
    throw new ComityError('bad_data', `${path}: ${messageOf(error)}`, { cause: error });
  }
}

function signalOf(body: Buffer, format: OtlpFormat, contentType: string | undefined): Signal {
  if (contentType !== undefined) return 'exposition';
  if (format === 'json') return /"resource_?[Ss]pans"/.test(body.toString('utf8')) ? 'traces' : 'metrics';
  // A request in protobuf begins with the tag of its first field, a line break in a text.
  if (body[0] !== RESOURCES_TAG) return 'exposition';
  const [traces, metrics] = [holdsSpans(body), holdsMetrics(body)];
  if (traces === metrics) {
    throw new ComityError('bad_data', 'the file holds neither spans nor metrics for certain; say which by --signal');
  }
  return traces ? 'traces' : 'metrics';
}

const RESOURCES_TAG = 0x0a;

/** A metric may be read as a span, for their fields have the same numbers, but as one without times. */
function holdsSpans(body: Buffer): boolean {
  const { resourceSpans = [] } = decoded(() => decodeTraceRequest(body, 'protobuf')) ?? {};
  const spans = resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans));
  return spans.some(({ startTimeUnixNano, endTimeUnixNano }) => startTimeUnixNano !== 0n || endTimeUnixNano !== 0n);
}

function holdsMetrics(body: Buffer): boolean {
  const { resourceMetrics = [] } = decoded(() => decodeMetricsRequest(body, 'protobuf')) ?? {};
  const metrics = resourceMetrics.flatMap(({ scopeMetrics }) => scopeMetrics.flatMap((scope) => scope.metrics));
  return metrics.some((metric) => POINTS.some((field) => metric[field] !== undefined));
}

const POINTS = ['gauge', 'sum', 'histogram', 'exponentialHistogram', 'summary'] as const;

function decoded<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch {
    return undefined;
  }
}

/** OpenMetrics ends with a mark of its own. */
function expositionType(body: Buffer): string | undefined {
  return /# EOF\n?$/.test(body.toString('latin1', body.length - 8)) ? 'application/openmetrics-text' : undefined;
}

function isJson(body: Buffer): boolean {
  return body.toString('latin1', 0, 1024).trimStart().startsWith('{');
}

function bodyOf(path: string): Buffer {
  try {
    if (path !== '-' && statSync(path).size > LIMITS.decompressedBytes) {
      throw new ComityError('limit', `it is larger than ${LIMITS.decompressedBytes} bytes`);
    }
    const body = readFileSync(path === '-' ? 0 : path);
    if (body.length > LIMITS.decompressedBytes) throw new ComityError('limit', 'it is too large');
    return body;
  } catch (error) {
    throw new ComityError('bad_data', `${path}: ${messageOf(error)}`, { cause: error });
  }
}

function redactedText(
  { changes, rejected }: RedactedSpans | RedactedSeries,
  counts: ReturnType<CountedAdmission['counts']>,
): string {
  const parts = [changes.length === 0 ? '(nothing)' : diffText(changes), '', decisionsText(counts)];
  if (rejected > 0) parts.push('', `${rejected} spans or points are stored not at all: no agent would take them`);
  return parts.join('\n');
}

function decisionsText(counts: readonly Readonly<AdmitCount>[]): string {
  const lines = counts.map(({ place, rule, reason, action, count }) => [place, rule, reason, action, String(count)]);
  return aligned([['PLACE', 'RULE', 'REASON', 'ACTION', 'COUNT'], ...lines]);
}
