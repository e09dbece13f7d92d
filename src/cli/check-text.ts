import type { Judgement, Outcome } from './check-judge.ts';
import type { FoundFile, FoundQuestion } from './check-found.ts';
import { aligned } from './query-table.ts';

/** A question of a file with what becomes of it, as it is printed. */
export interface CheckedQuestion {
  readonly place: string;
  readonly line?: number;
  readonly query: string;
  readonly outcome: Outcome;
  readonly why?: string;
  /** What works instead, with the variables of the dashboard. */
  readonly works?: string;
  /** The parameter that it takes. */
  readonly approx?: number;
  /** Labels that it no longer matches on. */
  readonly widened?: readonly string[];
}

export interface CheckedFile {
  readonly file: string;
  readonly questions: readonly CheckedQuestion[];
  /** Queries that are no PromQL, by data source. */
  readonly notPromql: Readonly<Record<string, number>>;
  readonly unread: readonly string[];
}

export interface Checked {
  readonly files: readonly CheckedFile[];
  readonly counts: Readonly<Record<Outcome, number>>;
  readonly total: number;
  /** Of all questions, those that are answered, approximations included; 1 where there are none. */
  readonly shareAnswered: number;
}

export function checkedQuestion(question: FoundQuestion, { outcome, why, works }: Judgement): CheckedQuestion {
  const { place, line, query, restore } = question;
  return {
    place,
    ...(line === undefined ? {} : { line }),
    query,
    outcome,
    ...(why === undefined ? {} : { why: restore(why) }),
    ...(works === undefined ? {} : { works: restore(works.text) }),
    ...(works?.approx === undefined ? {} : { approx: works.approx }),
    ...(works === undefined || works.widened.length === 0 ? {} : { widened: works.widened }),
  };
}

export function checkedFile(
  file: string,
  { others, unread }: FoundFile,
  questions: readonly CheckedQuestion[],
): CheckedFile {
  return { file, questions, notPromql: Object.fromEntries(others), unread };
}

export function summarised(files: readonly CheckedFile[]): Checked {
  const counts: Record<Outcome, number> = { answered: 0, approximate: 0, refused: 0, invalid: 0, unknown: 0 };
  for (const { outcome } of files.flatMap(({ questions }) => questions)) counts[outcome]++;
  const total = files.reduce((sum, { questions }) => sum + questions.length, 0);
  const answered = counts.answered + counts.approximate;
  return { files, counts, total, shareAnswered: total === 0 ? 1 : answered / total };
}

/** A table of what is not answered as it stands, file by file, and the sums. */
export function checkedText({ files, counts, total, shareAnswered }: Checked): string {
  const parts = Object.entries(counts).flatMap(([outcome, count]) => (count === 0 ? [] : [`${count} ${outcome}`]));
  const share = `${Math.floor(shareAnswered * 1000) / 10} %`;
  return [
    ...files.flatMap(fileLines),
    `${total} ${total === 1 ? 'query' : 'queries'}: ${parts.length === 0 ? 'none' : parts.join(', ')}; answered ${share}`,
  ].join('\n');
}

function fileLines({ file, questions, notPromql, unread }: CheckedFile): string[] {
  const others = Object.entries(notPromql).map(([source, count]) => `${count} of ${source}`);
  const open = questions.filter(({ outcome }) => outcome !== 'answered');
  const answered = questions.length - open.length;
  return [
    `${file}: ${answered} of ${questions.length} answered${others.length === 0 ? '' : `; not PromQL: ${others.join(', ')}`}`,
    ...unread.map((problem) => `  unread: ${problem}`),
    ...open.flatMap(questionLines),
    '',
  ];
}

function questionLines({ place, line, query, outcome, why, works, approx, widened }: CheckedQuestion): string[] {
  const at = line === undefined ? place : `line ${line}: ${place}`;
  const rows = [['query', oneLine(query)]];
  if (why !== undefined) rows.push(['why', oneLine(why)]);
  if (works !== undefined) rows.push(['works', `${works}${approx === undefined ? '' : ` with approx=${approx}`}`]);
  if (widened !== undefined) rows.push(['over', `every ${widened.join(', ')}`]);
  return [
    `  ${outcome.padEnd(OUTCOME_CHARS)} ${at}`,
    ...aligned(rows)
      .split('\n')
      .map((row) => `    ${row}`),
  ];
}

const OUTCOME_CHARS = 'approximate'.length;

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
