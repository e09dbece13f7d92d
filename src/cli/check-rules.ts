import { isMap, isScalar, isSeq, LineCounter, parseAllDocuments, type Document, type YAMLMap } from 'yaml';
import { ComityError } from '../base/errors.ts';
import { QUESTIONS_MAX, type FoundFile, type FoundQuestion } from './check-found.ts';

/**
 * The PromQL of a Prometheus rule file, or of the `spec` of a PrometheusRule of the Prometheus operator. Throws `bad_data`
 * with the line of what is no YAML, or when there are no groups.
 */
export function questionsOfRules(text: string): FoundFile {
  const lines = new LineCounter();
  const documents = [parseAllDocuments(text, { lineCounter: lines })].flat();
  const questions: FoundQuestion[] = [];
  const unread: string[] = [];
  let hasGroups = false;
  for (const document of documents) {
    const [problem] = document.errors;
    if (problem !== undefined)
      throw new ComityError('bad_data', `line ${problem.linePos?.[0].line ?? 1}: ${problem.message}`);
    const groups = groupsOf(document);
    if (groups === undefined) continue;
    hasGroups = true;
    for (const group of groups) readGroup(group, { lines, questions, unread });
  }
  if (!hasGroups)
    throw new ComityError('bad_data', 'it is neither a Grafana dashboard nor a rule file: it has no groups');
  return { questions, others: new Map(), unread };
}

interface Reader {
  readonly lines: LineCounter;
  readonly questions: FoundQuestion[];
  readonly unread: string[];
}

function groupsOf(document: Document): readonly YAMLMap[] | undefined {
  const root = document.contents;
  if (!isMap(root)) return undefined;
  const spec = root.get('spec');
  const groups = isMap(spec) ? spec.get('groups') : root.get('groups');
  return isSeq(groups) ? groups.items.filter(isMap) : undefined;
}

function readGroup(group: YAMLMap, reader: Reader): void {
  const name = nameIn(group, 'name');
  const rules = group.get('rules');
  if (!isSeq(rules)) return;
  for (const rule of rules.items) {
    if (!isMap(rule)) continue;
    const kind = rule.has('alert') ? 'alert' : 'record';
    const place = `${name} / ${kind} ${nameIn(rule, kind)}`;
    const expr = rule.get('expr', true);
    if (!isScalar(expr)) {
      reader.unread.push(`${place}: it has no expr`);
      continue;
    }
    if (reader.questions.length >= QUESTIONS_MAX) {
      throw new ComityError('limit', `a file may have ${QUESTIONS_MAX} queries, and this one has more`);
    }
    const query = String(expr.value).trim();
    const line = reader.lines.linePos(expr.range?.[0] ?? 0).line;
    // A block begins below its indicator.
    const isBlock = expr.type === 'BLOCK_LITERAL' || expr.type === 'BLOCK_FOLDED';
    reader.questions.push({
      place,
      line: isBlock ? line + 1 : line,
      query,
      asked: query,
      kind: 'instant',
      restore: (made) => made,
    });
  }
}

function nameIn(map: YAMLMap, field: string): string {
  const name = map.get(field);
  return typeof name === 'string' || typeof name === 'number' ? String(name) : '?';
}
