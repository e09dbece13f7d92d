import { compare, matrixOf } from './answers.ts';
import { askRange, type RangeQuery } from './ask.ts';
import { COMITY, type Federation, type System } from './federation-systems.ts';
import { Refusal } from './refusal.ts';
import type { Judged, Row } from './row.ts';
import type { Settings } from './workload.ts';

/** A query, and the same over what is left when a domain is gone. */
interface FaultQuery {
  readonly query: string;
  /** Undefined where no right answer is left: what it asks about was in the domain that is gone. */
  readonly remaining: string | undefined;
}

const COUNTER = 'http_server_requests_total';

/** A killed domain must be noticed first, by those that look now and then. */
const ROUNDS = 2;

/** Kills all that runs in the last domain and asks each system again: what it says, and what its values are worth. */
export async function killOne(
  { places, systems, reference }: Federation,
  range: Omit<RangeQuery, 'query'>,
  { progress }: Settings,
): Promise<Row[]> {
  const gone = places.at(-1)!;
  progress(`W5 fault: ${gone.domain} is killed`);
  await gone.kill();
  const queries: readonly FaultQuery[] = [
    {
      query: `sum by (service) (rate(${COUNTER}[5m]))`,
      remaining: `sum by (service) (rate(${COUNTER}{domain!="${gone.domain}"}[5m]))`,
    },
    { query: `absent(${COUNTER}{domain="${gone.domain}"})`, remaining: undefined },
  ];
  const rows: Row[] = [];
  for (const { query, remaining } of queries) {
    const truth =
      reference === undefined || remaining === undefined
        ? undefined
        : (await askRange(reference, { query: remaining, ...range })).body;
    const measured: Judged[] = [];
    for (const system of systems) {
      let note = '';
      for (let round = 0; round < ROUNDS; round++) note = await saidBy(system, { query, ...range }, truth);
      progress(`  ${system.name}: ${note}`);
      measured.push({ peer: system.name, figures: {}, note });
    }
    rows.push({ workload: 'W5 fault', what: `${query}, one of ${places.length} domains killed`, measured });
  }
  return rows;
}

/** Enough for what is said of one domain. */
const WORDS_CHARS = 240;

async function saidBy(system: System, query: RangeQuery, truth: string | undefined): Promise<string> {
  try {
    // Whose processes are gone in part have no CPU time to be counted.
    const { body, wallMs } = await askRange({ queryUrl: system.queryUrl, pids: [] }, query);
    const said = JSON.parse(body) as { readonly warnings?: readonly string[]; readonly infos?: readonly string[] };
    const words = [...new Set(said.warnings)];
    const warned = words.length === 0 ? 'no warning' : `warning: ${words.join('; ').slice(0, WORDS_CHARS)}`;
    return `200 after ${wallMs.toFixed(0)} ms, ${valuesAre(body, truth)}; ${warned}${coverageIn(system, body)}`;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return error.message.slice(0, WORDS_CHARS + 100);
  }
}

const RELATIVE = 1e-9;

function valuesAre(body: string, truth: string | undefined): string {
  const got = matrixOf(body);
  if (truth === undefined) {
    return got.result.length === 0 ? 'an empty answer' : `${got.result.length} series, though nobody can know`;
  }
  const { series, wrong, missing, offBy } = compare(got, matrixOf(truth), RELATIVE);
  const off = wrong === 0 ? '' : `, off by ${offBy.toExponential(0)}`;
  return `${series - wrong - missing} of ${series} series as the rest of the domains have them${off}`;
}

/** Whether the structure says the same as the words. */
function coverageIn({ name }: System, body: string): string {
  if (name !== COMITY) return '';
  const { data } = JSON.parse(body) as { readonly data: { readonly coverage?: { readonly complete: boolean } } };
  return `; coverage says ${data.coverage?.complete === false ? 'incomplete' : 'complete'}`;
}
