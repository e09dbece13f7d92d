import Type from 'typebox';
import type { Static, TSchema } from 'typebox';
import Value from 'typebox/value';

/** A hub that does not answer within this time is reported; the longest deadline of a query is below it. */
const ANSWER_MS = 15_000;

const Coverage = Type.Object({
  complete: Type.Boolean(),
  observed: Type.Number(),
  expected: Type.Number(),
  domains: Type.Array(
    Type.Object({
      domain: Type.String(),
      status: Type.String(),
      observed: Type.Number(),
      expected: Type.Number(),
      reason: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    }),
  ),
});

const Sample = Type.Object({
  metric: Type.Record(Type.String(), Type.String()),
  value: Type.Tuple([Type.Number(), Type.String()]),
});

const Answered = Type.Object({
  status: Type.Literal('success'),
  data: Type.Object({ resultType: Type.Literal('vector'), result: Type.Array(Sample), coverage: Coverage }),
  warnings: Type.Optional(Type.Array(Type.String())),
});

const Failed = Type.Object({ status: Type.Literal('error'), errorType: Type.String(), error: Type.String() });

/** An agent's ledger as the hub knows it from receipts. */
const Ledger = Type.Object({ key: Type.String(), witnessedSize: Type.Number(), forked: Type.Boolean() });

const Status = Type.Object({
  status: Type.Literal('success'),
  data: Type.Object({
    domains: Type.Array(
      Type.Object({
        domain: Type.String(),
        jurisdiction: Type.String(),
        reachable: Type.Boolean(),
        observed: Type.Number(),
        expected: Type.Number(),
        bytesReceived: Type.Number(),
        bytesRawHeld: Type.Number(),
        replicas: Type.Array(Type.Object({ ledger: Type.Union([Ledger, Type.Null()]) })),
      }),
    ),
  }),
});

/** One series of an instant query's answer, as Prometheus writes it. */
export type Sample = Static<typeof Sample>;

/** What the hub says about who answered. */
export type Coverage = Static<typeof Coverage>;

/** One domain in the hub's view of the federation. */
export type DomainStatus = Static<typeof Status>['data']['domains'][number];

/** An instant query's outcome: the answer, or the hub's error text. */
export type Answer =
  | {
      readonly ok: true;
      readonly result: readonly Sample[];
      readonly coverage: Coverage;
      readonly warnings: readonly string[];
    }
  | { readonly ok: false; readonly error: string };

/** Asks an instant query over the hub's Prometheus API. Throws when the hub does not answer or not in that form. */
export async function ask(hubUrl: string, query: string): Promise<Answer> {
  const body = await getJson(`${hubUrl}/api/v1/query?${new URLSearchParams({ query }).toString()}`);
  if (Value.Check(Failed, body)) return { ok: false, error: body.error };
  const { data, warnings } = checked(Answered, body, 'an instant query');
  return { ok: true, result: data.result, coverage: data.coverage, warnings: warnings ?? [] };
}

/** The hub's own account of its domains: who is reachable, what crossed and what stayed. */
export async function federationStatus(hubUrl: string): Promise<readonly DomainStatus[]> {
  const body = await getJson(`${hubUrl}/api/v1/status/federation`);
  return checked(Status, body, 'the federation status').data.domains;
}

/** Whether an answer holds every domain's data, in at least so many series, and nothing but numbers. */
export function isWhole(answer: Answer, seriesMin: number): answer is Extract<Answer, { ok: true }> {
  return (
    answer.ok &&
    coversAll(answer.coverage) &&
    answer.result.length >= seriesMin &&
    answer.result.every((sample) => Number.isFinite(Number(sample.value[1])))
  );
}

/** Whether every domain has answered and has streams at all: before the first export even an empty answer is complete. */
export function coversAll(coverage: Coverage): boolean {
  return coverage.complete && coverage.domains.every((one) => one.status === 'ok' && one.observed > 0);
}

async function getJson(url: string): Promise<unknown> {
  const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`the hub answered ${response.status} with something that is not JSON: ${text.slice(0, 200)}`);
  }
}

function checked<T extends TSchema>(schema: T, body: unknown, what: string): Static<T> {
  if (Value.Check(schema, body)) return body;
  const [first] = Value.Errors(schema, body);
  const where = first === undefined ? '' : ` at ${first.instancePath || '/'}: ${first.message}`;
  throw new Error(`the hub's answer to ${what} has another form than expected${where}`);
}
