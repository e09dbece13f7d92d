import { isDeepStrictEqual } from 'node:util';
import { dirname, join } from 'node:path';
import Type, { type Static } from 'typebox';
import { readConfigFile, readText } from '../base/config.ts';
import { ComityError, messageOf } from '../base/errors.ts';
import { labelsText } from '../model/labels.ts';
import { parseDuration } from '../promql/duration.ts';
import { PromqlError } from '../promql/parse-error.ts';
import { decodeMetricsRequest, decodeTraceRequest } from '../wire/otlp/decode.ts';
import { readPolicyTexts } from './policy-files.ts';
import { openPolicyDomain, type PolicyDomain } from './policy-test-domain.ts';
import { redactMetrics } from './redact-series.ts';
import { redactSpans } from './redact-spans.ts';

const closed = { additionalProperties: false } as const;

const QUERY = Type.Object(
  {
    query: Type.String({ minLength: 1 }),
    /** `allowed`, or `refused CODE NAME`. */
    is: Type.String({ pattern: '^(allowed|refused .+)$' }),
    /** Seconds, as PromQL writes durations, after the load's beginning. */
    at: Type.Optional(Type.String({ minLength: 1 })),
    /** The label sets of an allowed answer, in any order. */
    series: Type.Optional(Type.Array(Type.String())),
  },
  closed,
);

const REDACTION = Type.Object(
  {
    name: Type.String({ minLength: 1 }),
    /** OTLP/JSON: in place, or the name of a file beside. */
    spans: Type.Optional(Type.Union([Type.Object({}), Type.String()])),
    metrics: Type.Optional(Type.Union([Type.Object({}), Type.String()])),
    /** What is stored: OTLP/JSON of spans, the label sets of metrics. */
    stored: Type.Optional(Type.Unknown()),
    /** Texts that nothing stored holds. */
    without: Type.Optional(Type.Array(Type.String({ minLength: 1 }))),
  },
  closed,
);

const TEST_FILE = Type.Object(
  {
    /** Documents, or folders of them, beside the file; its own folder when left out. */
    policies: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { minItems: 1 })),
    /** Where the documents are of several domains. */
    domain: Type.Optional(Type.String({ minLength: 1 })),
    domain_label: Type.Optional(Type.String({ minLength: 1 })),
    /** Samples, in the notation of promqltest. */
    load: Type.Optional(Type.String()),
    /** When queries ask, unless they say it. */
    at: Type.Optional(Type.String({ minLength: 1 })),
    queries: Type.Optional(Type.Array(QUERY)),
    redactions: Type.Optional(Type.Array(REDACTION)),
  },
  closed,
);

type TestFile = Static<typeof TEST_FILE>;

/** One thing that a test file expects, and what came of it. */
export interface PolicyTestResult {
  readonly file: string;
  /** The query, or the name of the redaction. */
  readonly name: string;
  readonly passed: boolean;
  readonly expected: string;
  readonly got: string;
}

/** Runs a test file. Throws `bad_config` for one that cannot be read, and for its policy. */
export async function runPolicyTest(path: string): Promise<readonly PolicyTestResult[]> {
  const file = readConfigFile(path, TEST_FILE);
  const { queries = [], redactions = [], load = '', at = '10m' } = file;
  if (queries.length + redactions.length === 0) {
    throw new ComityError('bad_config', `${path}: it expects nothing: it has neither queries nor redactions`);
  }
  const texts = textsOf(path, file);
  const domain = await openPolicyDomain(texts);
  try {
    await domain.load(path, load);
    const results: PolicyTestResult[] = [];
    for (const query of queries) results.push(...(await runQuery(path, query, query.at ?? at, domain)));
    const place = { domain: texts.domain, domainLabel: texts.domainLabel, admission: domain.admission };
    for (const redaction of redactions) results.push(...runRedaction(path, redaction, place));
    return results;
  } finally {
    await domain.close();
  }
}

function textsOf(path: string, { policies, domain, domain_label: domainLabel = 'domain' }: TestFile) {
  const folder = dirname(path);
  const found = readPolicyTexts(policies?.map((name) => join(folder, name)) ?? [folder], domainLabel);
  const texts = domain === undefined && found.length === 1 ? found[0] : found.find((one) => one.domain === domain);
  if (texts !== undefined) return texts;
  const names = found.map((one) => one.domain).join(', ');
  throw new ComityError('bad_config', `${path}: /domain: its policies are for ${names}; say which is tested`);
}

async function runQuery(
  file: string,
  { query, is, series }: Static<typeof QUERY>,
  at: string,
  domain: PolicyDomain,
): Promise<readonly PolicyTestResult[]> {
  const result = (expected: string, got: string): PolicyTestResult => ({
    file,
    name: query,
    passed: expected === got,
    expected,
    got,
  });
  try {
    const asked = await domain.ask(query, parseDuration(at));
    const decided = result(is, asked.outcome);
    if (series === undefined || !decided.passed) return [decided];
    return [decided, result(series.toSorted().join('\n'), asked.series.join('\n'))];
  } catch (error) {
    if (!(error instanceof PromqlError || error instanceof ComityError)) throw error;
    return [result(is, `error: ${messageOf(error)}`)];
  }
}

function runRedaction(
  file: string,
  { name, spans, metrics, stored, without = [] }: Static<typeof REDACTION>,
  place: Parameters<typeof redactMetrics>[1],
): readonly PolicyTestResult[] {
  const body = (given: object | string): Buffer =>
    Buffer.from(typeof given === 'string' ? readText(join(dirname(file), given)) : JSON.stringify(given));
  if ((spans === undefined) === (metrics === undefined)) {
    throw new ComityError('bad_config', `${file}: redaction ${name}: give either spans or metrics`);
  }
  const got: unknown =
    spans !== undefined
      ? redactSpans(decodeTraceRequest(body(spans), 'json'), place.admission).stored
      : redactMetrics(decodeMetricsRequest(body(metrics!), 'json'), place)
          .stored.series.map(labelsText)
          .sort();
  const text = JSON.stringify(got);
  const plain: unknown = JSON.parse(text);
  const shown = without.filter((one) => text.includes(one));
  return [
    ...(stored === undefined
      ? []
      : [{ file, name, passed: isDeepStrictEqual(plain, stored), expected: JSON.stringify(stored), got: text }]),
    ...(without.length === 0
      ? []
      : [
          {
            file,
            name,
            passed: shown.length === 0,
            expected: `without ${without.join(', ')}`,
            got: `with ${shown.join(', ')}`,
          },
        ]),
  ];
}
