import { Command } from 'commander';
import { ComityError } from '../base/errors.ts';
import { coverageWarning, type Coverage } from '../coverage/coverage.ts';
import type { Expr } from '../promql/ast.ts';
import { ALL_HUB_FEATURES } from '../promql/features.ts';
import { PromqlError } from '../promql/parse-error.ts';
import { parseExpr } from '../promql/parse.ts';
import { apiUrl, postForm, queryParams, readEnvelope, type Envelope } from './hub-request.ts';
import { selectorsOf, whyMissing } from './missing-series.ts';
import { withCaret } from './promql-text.ts';
import { coverageLine, resultTable, type ApiResult } from './query-table.ts';

interface Options {
  readonly hub: string;
  readonly time?: string;
  readonly start?: string;
  readonly end?: string;
  readonly step?: string;
  readonly timeout?: string;
  readonly approx?: string;
  readonly json?: boolean;
}

/** An agent's own answers have no coverage. */
type QueryEnvelope = Envelope<ApiResult & { readonly coverage?: Coverage }>;

/** `comity query EXPR`: asks a hub and prints a table with the coverage below it. */
export function queryCommand(): Command {
  return new Command('query')
    .description('Ask a hub a PromQL question; prints a table and how complete the answer is.')
    .argument('<expr>', 'the PromQL expression')
    .option(
      '--hub <url>',
      'the hub’s address, or the query address of an agent',
      process.env['COMITY_HUB'] ?? 'http://127.0.0.1:9090',
    )
    .option('--time <time>', 'evaluate at this time (Unix seconds or RFC 3339) instead of now')
    .option('--start <time>', 'first step of a range query')
    .option('--end <time>', 'last step of a range query (now when left out)')
    .option('--step <duration>', 'distance of the steps of a range query', '15s')
    .option('--timeout <duration>', 'how long the hub may wait for its domains')
    .option('--approx <error>', 'the relative error that quantile may have, such as 0.01')
    .option('--json', 'print the hub’s JSON as it came')
    .addHelpText('after', '\nExit status: 0 complete, 2 partial, 1 error.')
    .action(runQueryCommand);
}

async function runQueryCommand(expr: string, options: Options): Promise<void> {
  const parsed = parsedHere(expr);
  const url = apiUrl(options.hub, options.start === undefined ? 'query' : 'query_range');
  const text = await postForm(url, queryParams(expr, options));
  if (options.json === true) process.stdout.write(`${text}\n`);
  const envelope: QueryEnvelope = readEnvelope(text, url);
  if (envelope.status !== 'success' || envelope.data === undefined) {
    throw new ComityError('execution', envelope.error ?? 'the hub gave no reason');
  }
  const { coverage } = envelope.data;
  if (options.json !== true) {
    const lines = [resultTable(envelope.data), ...noteLines(envelope)];
    if (isEmpty(envelope.data)) lines.push(...(await emptyHints(parsed, options.hub)));
    if (coverage !== undefined) lines.push(coverageLine(coverage));
    process.stdout.write(`${lines.join('\n')}\n`);
  }
  if (coverage?.complete === false) process.exitCode = 2;
}

/** What there is to say beside the answer; the coverage has a line of its own. */
function noteLines({ warnings = [], infos = [], data }: QueryEnvelope): string[] {
  const gap = data?.coverage === undefined ? undefined : coverageWarning(data.coverage);
  const others = warnings.filter((warning) => warning !== gap);
  return [...others.map((text) => `warning: ${text}`), ...infos.map((text) => `info: ${text}`)];
}

function isEmpty({ resultType, result }: ApiResult): boolean {
  return (resultType === 'vector' || resultType === 'matrix') && result.length === 0;
}

/** Which selectors have nothing at the hub, and what is near: a misspelt name gives an empty answer and no error. */
async function emptyHints(expr: Expr, hub: string): Promise<string[]> {
  const hints = await Promise.all(selectorsOf(expr).map((selector) => whyMissing(selector, hub)));
  return [...new Set(hints)].flatMap((hint) => (hint === undefined ? [] : [`hint: ${hint}`]));
}

/** Points at a mistake under the text itself, which the hub's one-line message cannot. */
function parsedHere(expr: string): Expr {
  try {
    // What is experimental, the hub may have or not.
    return parseExpr(expr, ALL_HUB_FEATURES);
  } catch (error) {
    throw error instanceof PromqlError ? withCaret(error) : error;
  }
}
