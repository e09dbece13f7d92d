import { newTraceparent } from '../../src/base/traceparent.ts';
import { instantQuery, limitRows, rangeQuery, readQuery } from '../../src/api/query.ts';
import { toComityError, type ComityError } from '../../src/base/errors.ts';
import { noteTexts } from '../../src/engine/notes.ts';
import { openFederation, type Federation } from '../../src/federationtest/federation.ts';
import { IncompleteError, runQuery } from '../../src/hub/query.ts';
import { ADMIT_ALL } from '../../src/model/admission.ts';
import type { EgressClass } from '../../src/policy/egress-class.ts';
import type { PromqlFeatures } from '../../src/promql/features.ts';
import { remoteWriteDecoder } from '../../src/wire/remote-write/decode.ts';
import { otlpTranslator } from '../../src/wire/otlp/translator.ts';
import { readAnswer, type Answer, type Failure } from './answer.ts';
import { requestParameters, type Ask } from './ask.ts';
import { OTLP_JOB, otlpRequests } from './otlp.ts';
import type { Series } from './samples.ts';
import type { When } from './scope.ts';
import { writeRequests } from './write-requests.ts';

export interface FederationSideOptions {
  readonly domains: number;
  readonly shards: number;
  readonly egressClass: EgressClass;
  readonly features: PromqlFeatures;
}

const DEFAULTS = { lookbackMs: 300_000, queryTimeoutMs: 30_000 };

/** A federation of this process with these series in their domains, behind a hub's answers as they go to clients. */
export async function startFederationSide(
  series: readonly Series[],
  options: FederationSideOptions,
): Promise<{ readonly ask: Ask; close(): Promise<void> }> {
  const federation = await openFederation(options);
  try {
    for (const [index, domain] of federation.domains.entries()) {
      await fill(
        federation,
        index,
        series.filter((one) => one.domain === domain),
      );
    }
  } catch (error) {
    await federation.close();
    throw error;
  }
  return { ask: (query, when) => answerOf(federation, options, query, when), close: federation.close };
}

/** By the decoders that agents have. */
async function fill(federation: Federation, index: number, series: readonly Series[]): Promise<void> {
  const { started = [], plain = [] } = Object.groupBy(series, ({ labels }) =>
    labels['job'] === OTLP_JOB ? 'started' : 'plain',
  );
  const place = { domain: federation.domains[index]!, domainLabel: federation.domainLabel, admission: ADMIT_ALL };
  const decode = remoteWriteDecoder(place);
  for (const body of writeRequests(plain, false)) {
    const { batch, leftOut } = decode('io.prometheus.write.v2.Request', body);
    if (leftOut.reasons.size > 0) throw new Error(`samples were left out: ${JSON.stringify([...leftOut.reasons])}`);
    await federation.append(index, batch);
  }
  const translator = otlpTranslator({ ...place, promoteResourceAttributes: [] });
  for (const request of otlpRequests(started, false)) {
    const translation = translator.translate(Buffer.from(JSON.stringify(request)), 'json', Date.now());
    if (translation.rejected.count > 0) throw new Error(`points were left out: ${translation.rejected.message}`);
    await federation.append(index, translation.build());
  }
}

/** What a client of the hub would be told. */
async function answerOf(
  { registry, domainLabel }: Federation,
  { features, egressClass }: FederationSideOptions,
  query: string,
  when: When,
): Promise<Answer> {
  const kind = when.kind === 'instant' ? instantQuery : rangeQuery;
  try {
    const params = readQuery(requestParameters(query, when), kind, { ...DEFAULTS, features });
    const { signal } = new AbortController();
    const asked = { ...params, features, allowPartial: true, signal, trace: newTraceparent() };
    const { value, coverage, notes } = await runQuery(asked, { registry, domainLabel });
    if (!coverage.complete) throw new IncompleteError(coverage);
    const data = JSON.parse(`{${kind.json(limitRows(value, kind, 0).value, params.grid)}}`) as object;
    const answer = readAnswer(200, JSON.stringify({ status: 'success', data, ...noteTexts(notes, query) }));
    return egressClass === 'aggregate' && answer.kind === 'data' ? { ...answer, lacksDetails: true } : answer;
  } catch (error) {
    return failureOf(toComityError(error));
  }
}

function failureOf(error: ComityError): Failure {
  const { status, errorType, message } = error;
  const known: Failure = { kind: 'error', status, errorType, message };
  if (error instanceof IncompleteError) {
    const others = error.coverage.domains.filter((one) => one.status !== 'ok' && one.status !== 'pruned');
    return others.every((one) => one.status === 'refused') ? { ...known, refusal: BY_SOME } : known;
  }
  if (error.code === 'refused') return { ...known, refusal: reasonOf(error) };
  return message.startsWith('execution: ') ? { ...known, hasOwnWords: true } : known;
}

/** The reason where some domains answered. */
export const BY_SOME = 'by some domains';

/** The code by which the planner or a domain refused; what has none of its own is told by its first words. */
function reasonOf(error: ComityError): string {
  return 'reason' in error && typeof error.reason === 'string' ? error.reason : error.message.slice(0, 60);
}
