import type { Note } from '../engine/notes.ts';
import type { StepGrid } from '../model/grid.ts';
import type { Fragment, Plan } from '../plan/distribute.ts';
import { prunedFrom } from '../plan/prune.ts';
import type { AnswerRow } from '../plan/frames/columns-codec.ts';
import type { Answer } from './dispatch/attempt.ts';
import { askWindow } from './parts/ask-window.ts';
import type { Asking } from './parts/asking.ts';
import { columnOf, columnPart, type Column } from './parts/columns.ts';
import { joinWindows, type PartAnswer, type WindowOutcome } from './parts/join-windows.ts';
import { windowsOf } from './parts/windows.ts';
import { stepsBeside, type Steps } from './cache/steps.ts';
import type { DomainRefusal } from './refusal.ts';
import type { Domain, Federation } from './registry.ts';

export type { Asking } from './parts/asking.ts';
export type { PartAnswer } from './parts/join-windows.ts';

/** What one domain was asked, and what came of it. */
export interface Part {
  readonly domain: Domain;
  /** Indices into the plan's fragments; none for a domain that cannot hold anything the query reads. */
  readonly asked: readonly number[];
  /** Undefined for a domain that was not asked anything. */
  readonly answer: Answer<PartAnswer> | undefined;
  /** The first of its refusals. */
  readonly refused: DomainRefusal | undefined;
}

/** Windows of one query that are under way at a domain at once: each takes a place in its queue from other queries. */
const WINDOWS_AT_ONCE = 2;

/**
 * Asks a domain all fragments of a plan that it could hold something of, and what else is to be asked beside the coverage of
 * the query. A long range is asked in windows: those that fail leave their steps missing, and with the first refusal it is over.
 * Throws `canceled` when the caller goes.
 */
export async function askPart(domain: Domain, plan: Plan, asking: Asking, federation: Federation): Promise<Part> {
  const { asked, fragments } = requestOf(domain, plan, asking, federation.domainLabel);
  if (asked.length === 0 && asking.coverage.length < 2) return { domain, asked, answer: undefined, refused: undefined };
  const columns = fragments.map((fragment) => columnOf(fragment, asking));
  const holes = domain.replicas.length < 2 ? [] : domain.replicas.flatMap(({ lastStatus }) => lastStatus?.gaps ?? []);
  const isKnown = (steps: Steps): boolean => isKept(domain, columns, steps, asking, federation);
  const windows = windowsOf({ columns, coverage: asking.coverage, holes, isKnown });
  const outcomes = windows.map((steps): WindowOutcome => {
    if (windows.length === 1) return { steps, window: { columns, coverage: asking.coverage }, answer: undefined };
    const coverage = asking.coverage.map(({ grid, reads }) => ({ grid: gridPart(grid, columns[0]!, steps), reads }));
    return {
      steps,
      window: { columns: columns.map((column) => columnPart(column, steps)), coverage },
      answer: undefined,
    };
  });
  const left = outcomes.values();
  let isRefused = false;
  const work = async (): Promise<void> => {
    // Each takes the next one.
    for (const outcome of left) {
      if (isRefused) return;
      const answer = await askWindow(domain, outcome.window, asking, federation);
      outcome.answer = answer;
      isRefused ||= answer.ok && answer.value.fragments.some((one) => 'refusal' in one);
    }
  };
  await Promise.all(Array.from({ length: Math.min(WINDOWS_AT_ONCE, windows.length) }, work));
  const answer = joinWindows(columns, outcomes);
  return { domain, asked, answer, refused: firstRefusal(domain, asked, answer, plan) };
}

/** The steps of a window, of a grid that is that of the column. */
function gridPart({ stepMs }: StepGrid, { key }: Column, { from, to }: Steps): StepGrid {
  return { startMs: key.startMs + from * key.stepMs, stepMs, steps: to - from };
}

/** Whether some replica has said all of these steps before. */
function isKept(
  { config, replicas }: Domain,
  columns: readonly Column[],
  steps: Steps,
  { useCache }: Asking,
  { cache, audit }: Federation,
): boolean {
  if (useCache === false || cache === undefined || audit === undefined) return false;
  return replicas.some(({ url }) => {
    const kept = cache.of(config.name, url);
    return columns.every(
      ({ key, mayKeep }) =>
        mayKeep &&
        stepsBeside(
          steps,
          kept.find(key, steps).map((one) => one.steps),
        ).length === 0,
    );
  });
}

/** What a domain is asked of a plan: the fragments that it could hold something of, also by index. */
export function requestOf(
  { config, lastStatus }: Domain,
  plan: Plan,
  { lookbackMs }: Pick<Asking, 'lookbackMs'>,
  domainLabel: string,
): { readonly asked: readonly number[]; readonly fragments: readonly Fragment[] } {
  const holding = { name: config.name, heldFromMs: lastStatus?.heldFromMs ?? 0 };
  const asked = plan.fragments.flatMap((fragment, index) =>
    prunedFrom(fragment, lookbackMs, domainLabel, holding) === undefined ? [index] : [],
  );
  return { asked, fragments: asked.map((index) => plan.fragments[index]!) };
}

function firstRefusal(
  domain: Domain,
  asked: readonly number[],
  answer: Answer<PartAnswer> | undefined,
  plan: Plan,
): DomainRefusal | undefined {
  if (answer?.ok !== true) return undefined;
  for (const [at, part] of answer.value.fragments.entries()) {
    if ('refusal' in part) {
      return { domain: domain.config.name, fragment: plan.fragments[asked[at]!]!, refusal: part.refusal };
    }
  }
  return undefined;
}

/** Whether a domain gave something of all that it was asked for; steps may be missing. */
export function isWhole({ asked, answer, refused }: Part): boolean {
  return asked.length > 0 && answer?.ok === true && refused === undefined;
}

/** The rows of all answers to a fragment, and what there is to say of them. */
export function rowsOf(
  index: number,
  parts: readonly Part[],
): { readonly rows: readonly AnswerRow[]; readonly notes: readonly Note[] } {
  const found = parts.flatMap(({ asked, answer }) => {
    const at = asked.indexOf(index);
    const fragment = at < 0 || answer?.ok !== true ? undefined : answer.value.fragments[at]!;
    return fragment !== undefined && 'rows' in fragment ? [fragment] : [];
  });
  return { rows: found.flatMap(({ rows }) => rows), notes: found.flatMap(({ notes }) => notes) };
}
