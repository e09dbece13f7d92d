import { request } from 'undici';
import { ComityError, messageOf } from '../base/errors.ts';
import { METRIC_NAME } from '../model/labels.ts';
import { matcherTest } from '../model/matcher.ts';
import { children, type Expr, type VectorSelector } from '../promql/ast.ts';
import { nearestName } from '../promql/nearest-name.ts';
import { printExpr, printInBraces } from '../promql/print.ts';

/** Servers list so many names of metrics or labels at most. */
const NAMES_MAX = 40_000;

/** Every selector of an expression, in the order of the text. */
export function selectorsOf(expr: Expr): VectorSelector[] {
  return expr.kind === 'vector' ? [expr] : children(expr).flatMap(selectorsOf);
}

/**
 * Why a selector has no series at the server whose Prometheus API is at `url`, or undefined where it has some. Names what is
 * near where a metric or a label is not there at all.
 */
export async function whyMissing(selector: VectorSelector, url: string): Promise<string | undefined> {
  const { matchers } = selector;
  if ((await namesAt(url, METRIC_NAME, printInBraces({ matchers }))).length > 0) return undefined;
  const metric = matchers.find(({ name, op }) => name === METRIC_NAME && op === '=');
  if (metric === undefined) return `no series has ${printInBraces({ matchers })}`;
  const named = printInBraces({ matchers: [metric] });
  const labels = await namesAt(url, undefined, named);
  if (labels.length === 0) {
    return `there is no metric ${quote(metric.value)}${meant(metric.value, await namesAt(url, METRIC_NAME))}`;
  }
  // A matcher that takes the empty value takes a label that is not there.
  const needed = matchers.filter((matcher) => matcher.name !== METRIC_NAME && !matcherTest(matcher)(''));
  const unknown = needed.find(({ name }) => !labels.includes(name));
  if (unknown !== undefined) {
    return `no series of ${metric.value} has a label ${quote(unknown.name)}${meant(unknown.name, labels)}`;
  }
  for (const { name, op, value } of needed) {
    if (op !== '=') continue;
    const values = await namesAt(url, name, named);
    if (!values.includes(value))
      return `no series of ${metric.value} has ${name}=${quote(value)}${meant(value, values)}`;
  }
  return `${metric.value} is there, but no series of it satisfies ${printExpr({ ...selector, offsetMs: 0 })}`;
}

const quote = (text: string): string => JSON.stringify(text);

function meant(name: string, candidates: readonly string[]): string {
  const nearest = nearestName(name, candidates);
  return nearest === undefined ? '' : `; did you mean ${quote(nearest)}?`;
}

/** Names of labels, or the values of one, among the series that satisfy a selector. */
async function namesAt(url: string, label: string | undefined, match?: string): Promise<readonly string[]> {
  const path = label === undefined ? 'labels' : `label/${encodeURIComponent(label)}/values`;
  const params = new URLSearchParams({ limit: String(NAMES_MAX) });
  if (match !== undefined) params.set('match[]', match);
  const target = `${url.replace(/\/+$/, '')}/api/v1/${path}?${params.toString()}`;
  let envelope: { readonly status?: string; readonly data?: readonly string[]; readonly error?: string };
  try {
    envelope = (await (await request(target)).body.json()) as typeof envelope;
  } catch (error) {
    const reason = (error as { code?: string }).code ?? messageOf(error);
    throw new ComityError('unavailable', `nothing at ${url} answers as Prometheus does (${reason})`, { cause: error });
  }
  if (envelope.status !== 'success')
    throw new ComityError('execution', `${url}: ${envelope.error ?? 'no reason given'}`);
  return envelope.data ?? [];
}
