import { Agent as HttpAgent, request } from 'undici';
import type { Veto } from '../border/veto.ts';

/** How an Open Policy Agent of the domain is asked. */
export interface OpaOptions {
  /** Of the rule: `http://127.0.0.1:8181/v1/data/comity/allow`. */
  readonly url: string;
  readonly timeoutMs: number;
}

/** What a question came to. All but `allowed` are denials. */
export const OPA_OUTCOMES = ['allowed', 'denied', 'undefined', 'error', 'timeout'] as const;
export type OpaOutcome = (typeof OPA_OUTCOMES)[number];

/** A veto that must be closed. */
export interface OpaVeto {
  readonly veto: Veto;
  close(): Promise<void>;
}

/** Rules decide in microseconds; whoever needs longer keeps a query waiting. */
export const OPA_TIMEOUT_MS = 1_000;

/** A decision is a word. */
const ANSWER_BYTES = 64 * 1024;

/** Questions under way at once: as many as the queries that an agent works on, twice over. */
const CONNECTIONS = 16;

/**
 * Asks an OPA's data API (https://www.openpolicyagent.org/docs/latest/rest-api/#get-a-document-with-input) for every request
 * that the policy lets through. Only a `result` that is the value `true` lets it go on: a rule that is undefined, false or of
 * another type, an error and an answer that is late, too long or no JSON stop it.
 */
export function opaVeto({ url, timeoutMs }: OpaOptions, onOutcome: (outcome: OpaOutcome) => void): OpaVeto {
  const dispatcher = new HttpAgent({ connections: CONNECTIONS, maxResponseSize: ANSWER_BYTES });
  return {
    async veto(input, signal) {
      const late = AbortSignal.timeout(timeoutMs);
      let outcome: OpaOutcome;
      try {
        const { statusCode, body } = await request(url, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ input }),
          dispatcher,
          signal: AbortSignal.any([signal, late]),
        });
        outcome = outcomeOf(statusCode, await body.text());
      } catch {
        outcome = late.aborted ? 'timeout' : 'error';
      }
      onOutcome(outcome);
      return outcome === 'allowed';
    },
    close: () => dispatcher.destroy(),
  };
}

function outcomeOf(status: number, text: string): OpaOutcome {
  if (status !== 200) return 'error';
  const answer: unknown = JSON.parse(text);
  if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) return 'error';
  if (!Object.hasOwn(answer, 'result')) return 'undefined';
  return (answer as { result: unknown }).result === true ? 'allowed' : 'denied';
}
