import type { AnalyzedDomain } from '../hub/analyze.ts';
import type { DomainExplained, Explanation, FragmentExplained } from '../hub/explain.ts';
import { nearestText } from '../plan/nearest/nearest.ts';
import { ANSWER_WORDS, treeLines } from '../plan/explain/plan-tree.ts';
import { printDuration } from '../promql/duration.ts';
import { aligned } from './query-table.ts';

/** An explanation as text: each fragment with what every domain says of it, then the hub's part, then what it came to. */
export function explanationText(explanation: Explanation): string {
  const { query, type, steps, approx, refused, nearest, remainder, fragments, analyzed } = explanation;
  const allowance = approx === undefined ? '' : `, approx=${approx}`;
  return [
    `${query}   [${type}, ${stepsText(steps)}${allowance}]`,
    ...(refused === undefined ? [] : ['', refused.message]),
    ...(nearest === undefined ? [] : ['', nearestText({ ...nearest, text: nearest.query })]),
    ...fragments.flatMap((fragment, index) => ['', ...fragmentLines(fragment, index)]),
    ...(remainder === undefined ? [] : ['', 'at the hub:', ...treeLines(remainder, '    ')]),
    ...(analyzed === undefined
      ? []
      : [
          '',
          `ran: ${count(analyzed.rows, 'row')} in ${msText(analyzed.tookMs)}, ${bytesText(analyzed.bytes)} from the domains`,
          ...domainBars(analyzed.domains),
        ]),
  ].join('\n');
}

function fragmentLines(
  { answer, relativeError, steps, tree, reads, domains }: FragmentExplained,
  index: number,
): string[] {
  const within = relativeError === undefined ? '' : ` (relative error ${relativeError})`;
  return [
    `fragment ${index}, in each domain at ${stepsText(steps)}; answers with ${ANSWER_WORDS[answer]}${within}:`,
    ...treeLines(tree, '    '),
    ...(reads === null ? [] : [`  reads samples from ${timeText(reads.fromMs)} to ${timeText(reads.toMs)}`]),
    ...aligned(domains.map(domainCells))
      .split('\n')
      .map((line) => `  ${line}`),
  ];
}

function domainCells(part: DomainExplained): readonly string[] {
  switch (part.verdict) {
    case 'pruned':
      return [part.domain, 'not asked', part.by === 'time' ? 'it holds nothing so old' : 'matchers rule it out'];
    case 'unknown':
      return [part.domain, part.status, part.reason];
    case 'refused':
      return [part.domain, 'refuses', part.reason];
    case 'allowed': {
      const { rules, series, atMost } = part;
      const why = rules.map((rule) => `${rule.metric} is ${rule.class} (rule ${rule.rule})`).join(', ');
      const cost = `${count(series, 'series', 'series')}, at most ${count(atMost.rows, 'row')}, ${bytesText(atMost.bytes)}`;
      return [part.domain, 'allows', why === '' ? cost : `${why}; ${cost}`];
    }
  }
}

const BAR_CHARS = 24;

/** Bytes and time of each domain, side by side with bars. */
function domainBars(domains: readonly AnalyzedDomain[]): string[] {
  const most = (of: (domain: AnalyzedDomain) => number): number => Math.max(1e-9, ...domains.map(of));
  const mostBytes = most(({ bytes }) => bytes);
  const mostMs = most(({ tookMs }) => tookMs);
  const rows = domains.map(({ domain, status, rows: found, bytes, tookMs }) => [
    domain,
    status,
    count(found, 'row'),
    bar(bytes / mostBytes),
    bytesText(bytes),
    bar(tookMs / mostMs),
    msText(tookMs),
  ]);
  return aligned(rows)
    .split('\n')
    .map((line) => `  ${line}`);
}

function bar(share: number): string {
  const full = share === 0 ? 0 : Math.max(1, Math.round(share * BAR_CHARS));
  return '█'.repeat(full).padEnd(BAR_CHARS, '·');
}

function stepsText({ startMs, stepMs, steps }: Explanation['steps']): string {
  if (steps === 1) return `1 step at ${timeText(startMs)}`;
  return `${steps} steps of ${printDuration(stepMs)} from ${timeText(startMs)}`;
}

function timeText(ms: number): string {
  return Number.isFinite(ms) && Math.abs(ms) < DATES_MAX_MS ? new Date(ms).toISOString() : `${ms} ms`;
}

/** The last time that has a date. */
const DATES_MAX_MS = 8.64e15;

function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

function bytesText(bytes: number): string {
  if (bytes < 10_000) return `${bytes} B`;
  return bytes < 10_000_000 ? `${Math.round(bytes / 1000)} kB` : `${Math.round(bytes / 1_000_000)} MB`;
}

function msText(ms: number): string {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}
