import { ComityError } from '../../base/errors.ts';

/** The names of exposition formats in `scrape_protocols` and `fallback_scrape_protocol`, and how each is asked for. */
const PROTOCOLS = {
  PrometheusProto: 'application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited',
  'PrometheusText0.0.4': 'text/plain;version=0.0.4',
  'PrometheusText1.0.0': 'text/plain;version=1.0.0;escaping=allow-utf-8',
  'OpenMetricsText0.0.1': 'application/openmetrics-text;version=0.0.1',
  'OpenMetricsText1.0.0': 'application/openmetrics-text;version=1.0.0;escaping=allow-utf-8',
} as const;

export type ScrapeProtocol = keyof typeof PROTOCOLS;

export const SCRAPE_PROTOCOLS = Object.keys(PROTOCOLS) as readonly ScrapeProtocol[];

/** What Prometheus asks for by default. */
export const TEXT_FIRST: readonly ScrapeProtocol[] = [
  'OpenMetricsText1.0.0',
  'OpenMetricsText0.0.1',
  'PrometheusText1.0.0',
  'PrometheusText0.0.4',
];

/** What it asks for where native histograms are wanted, which only protobuf carries. */
export const PROTO_FIRST: readonly ScrapeProtocol[] = ['PrometheusProto', ...TEXT_FIRST];

/** The weight of the protocol asked for first, in tenths. Prometheus 3.15 counts down from here. */
const FIRST_WEIGHT = 7;

/** The Accept header that asks for `protocols`, the first of them preferred, and takes anything else last. */
export function acceptHeader(protocols: readonly ScrapeProtocol[]): string {
  const ranges = [...protocols.map((protocol) => PROTOCOLS[protocol]), '*/*'];
  return ranges.map((range, i) => `${range};q=0.${FIRST_WEIGHT - i}`).join(',');
}

/** The content type of a protocol without parameters: what `ParseOptions.fallback` takes. */
export function contentTypeOf(protocol: ScrapeProtocol): string {
  return PROTOCOLS[protocol].split(';', 1)[0]!;
}

/** How a body is to be read. */
export type ExpositionFormat = 'text' | 'openmetrics' | 'protobuf';

const FORMATS: ReadonlyMap<string, ExpositionFormat> = new Map([
  ['text/plain', 'text'],
  ['application/openmetrics-text', 'openmetrics'],
  ['application/vnd.google.protobuf', 'protobuf'],
]);

/** The format that a Content-Type names, else the one that `fallback` does. Throws `bad_data` where neither names one. */
export function expositionFormat(contentType: string | undefined, fallback: string | undefined): ExpositionFormat {
  const named = contentType === undefined || contentType === '' ? undefined : mediaType(contentType);
  const format = named === undefined ? undefined : FORMATS.get(named.type);
  // OpenMetrics 2.0 is another language under the same name.
  const isNewer = format === 'openmetrics' && named?.parameters.get('version') === '2.0.0';
  if (format !== undefined && !isNewer) return format;
  const fallbackFormat = fallback === undefined ? undefined : FORMATS.get(fallback);
  if (fallbackFormat !== undefined) return fallbackFormat;
  const problem =
    contentType === undefined || contentType === ''
      ? 'the target sends no Content-Type'
      : `the target's Content-Type ${JSON.stringify(contentType.slice(0, 200))} is no exposition format known here`;
  throw new ComityError('bad_data', `${problem}; set fallback_scrape_protocol to say how to read it`);
}

interface MediaType {
  /** In lower case. */
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const TYPE = /^[\w!#$%&'*+.^`{|}~-]+\/[\w!#$%&'*+.^`{|}~-]+$/;
/** `;name=token` or `;name="text"`. No two parts of it can match the same characters, so matching takes linear time. */
const PARAMETER = /[ \t]*;[ \t]*([\w!#$%&'*+.^`{|}~-]+)=(?:([\w!#$%&'*+.^`{|}~-]+)|"((?:[^"\\\r\n]|\\.)*)")/y;
const END = /^[ \t]*;?[ \t]*$/;

/** Longer ones are no media types; it also bounds what follows. */
const CONTENT_TYPE_CHARS = 4096;

/** A Content-Type (RFC 9110, 8.3.1); undefined for a malformed one. */
function mediaType(contentType: string): MediaType | undefined {
  if (contentType.length > CONTENT_TYPE_CHARS) return undefined;
  const semicolon = contentType.indexOf(';');
  const typeEnd = semicolon < 0 ? contentType.length : semicolon;
  const type = contentType.slice(0, typeEnd).trim().toLowerCase();
  if (!TYPE.test(type)) return undefined;
  const parameters = new Map<string, string>();
  let at = typeEnd;
  for (;;) {
    PARAMETER.lastIndex = at;
    const match = PARAMETER.exec(contentType);
    if (match === null) break;
    const name = match[1]!.toLowerCase();
    if (parameters.has(name)) return undefined;
    parameters.set(name, match[2] ?? match[3]!.replace(/\\(.)/g, '$1'));
    at = PARAMETER.lastIndex;
  }
  return END.test(contentType.slice(at)) ? { type, parameters } : undefined;
}
