import type { Canaries } from './canaries.ts';
import { searchFolder } from './folder.ts';
import type { AgentPrograms, OpenArena } from './domain.ts';
import { openArena } from './domain.ts';
import { ENTRIES } from './list.ts';
import { startScraped } from './processes.ts';
import { runGenerated } from './run-generated.ts';
import { search } from './search.ts';
import { leaked, tryEntry, type Notice, type Tally } from './try-entries.ts';

/** What came of a whole run. */
export interface Outcome {
  readonly seed: number;
  /** Attempts of the list. */
  readonly attempts: number;
  /** Items of the list, or parts of one, that cannot be attacked yet. */
  readonly pending: number;
  /** Generated fragments. */
  readonly sent: number;
  /** Rows that were let out to them. */
  readonly rows: number;
  /** By code: what fragments of the list and generated ones were refused with. */
  readonly codes: Readonly<Record<string, number>>;
  /** Messages that crossed a border and were searched, and their bytes. */
  readonly messages: number;
  readonly bytes: number;
  readonly canaries: number;
  readonly notices: readonly Notice[];
}

export interface RunOptions {
  readonly cases: number;
  readonly seed: number;
  /** As `ArenaOptions`. */
  readonly others?: AgentPrograms | undefined;
}

/** The list, then generated fragments, then a search of what agents and hubs have written. */
export async function runRedTeam(
  programs: AgentPrograms,
  { cases, seed, others }: RunOptions,
  say: (line: string) => void,
): Promise<Outcome> {
  const tally: Tally = new Map();
  const notices: Notice[] = [];
  const stops: (() => Promise<void>)[] = [];
  try {
    const config = async (words: Canaries): Promise<string> => {
      const scraped = await startScraped(words);
      stops.push(scraped.close);
      return scraped.config;
    };
    const arena = await openArena(programs, { config, others });
    stops.push(arena.close);
    await untilScraped(arena);
    let attempts = 0;
    for (const entry of ENTRIES) {
      const found = await tryEntry(entry, arena, tally);
      attempts += entry.attempts.length;
      notices.push(...found);
      if (entry.attempts.length > 0) say(`${found.length === 0 ? 'ok' : 'NOT OK'}  ${entry.name}: ${wantsOf(entry)}`);
      for (const { attempt, said } of found) say(`        ${attempt}: ${said}`);
      if (entry.pending !== undefined) say(`pending  ${entry.name}: ${entry.pending}`);
    }
    const twin = await openArena(programs, { world: 1, endMs: arena.endMs, config });
    stops.push(twin.close);
    await untilScraped(twin);
    let told = 0;
    const generated = await runGenerated(arena, twin, { cases, seed }, tally, (done) => {
      if (done - told < 1_000) return;
      told = done;
      say(`${done} of ${cases} fragments`);
    });
    notices.push(...generated.notices);
    for (const { attempt, said } of generated.notices) say(`NOT OK  ${attempt}: ${said}`);
    const { messages, bytes } = arena.crossings;
    const written = await searchWritten(arena);
    notices.push(...written);
    for (const { attempt, said } of written) say(`NOT OK  ${attempt}: ${said}`);
    return {
      seed,
      attempts,
      pending: ENTRIES.filter(({ pending }) => pending !== undefined).length,
      sent: generated.sent,
      rows: generated.rows,
      codes: Object.fromEntries([...tally].sort(([a], [b]) => (a < b ? -1 : 1))),
      messages: messages + twin.crossings.messages,
      bytes: bytes + twin.crossings.bytes,
      canaries: arena.words.size + twin.words.size,
      notices,
    };
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

/** The codes that the attempts of an entry want, and how many want each. */
function wantsOf({ attempts }: (typeof ENTRIES)[number]): string {
  const wants = new Map<string, number>();
  for (const { attacks, wants: wanted } of attempts) {
    const what =
      /^[a-z0-9_]+(?: (?:or )?[a-z0-9_]+)*$/.test(wanted) && !wanted.includes(' it ')
        ? `${attacks} ${wanted}`
        : 'leaks nothing';
    wants.set(what, (wants.get(what) ?? 0) + 1);
  }
  return [...wants].map(([what, times]) => `${times} x ${what}`).join(', ');
}

async function untilScraped({ agentRunning: { queryUrl } }: OpenArena): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const answer = await fetch(`${queryUrl}/api/v1/query?query=scraped_total`);
    const { data } = (await answer.json()) as { readonly data?: { readonly result: readonly unknown[] } };
    if ((data?.result.length ?? 0) > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('the agent did not scrape its target');
}

/** Of labels and attributes whose values are never stored, but for their pseudonyms. */
const NEVER_STORED = /\((?:prohibited|a subject)\)|^span by|scraped (?:email|client_ip|user|user_email)$|password/;

/** What the agent writes inside the domain: its log and its metrics hold no canary, its files none that is never stored. */
async function searchWritten(arena: OpenArena): Promise<readonly Notice[]> {
  const notices: Notice[] = [];
  const notice = (attempt: string, said: string | undefined): void => {
    if (said !== undefined) notices.push({ entry: 'what an agent writes', attempt, said });
  };
  const { receivers, log } = arena.agentRunning;
  const metrics = await (await fetch(`${receivers.otlpUrl}/metrics`)).text();
  arena.crossings.crossed("the agent's metrics", Buffer.from(metrics));
  notice('its metrics', leaked(arena));
  await arena.agentRunning.close();
  arena.crossings.crossed("the agent's log", Buffer.from(log()));
  notice('its log', leaked(arena));
  const stored = {
    ...arena.crossings,
    crossed(where: string, bytes: Uint8Array): void {
      const found = search(bytes, arena.words).filter(({ place }) => NEVER_STORED.test(place));
      for (const { place, form } of found) notice(where, `it holds ${place}, as ${form}`);
    },
  };
  searchFolder(arena.dir, stored, (file) => !file.endsWith('.yaml'));
  return notices;
}
