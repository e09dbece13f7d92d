import { Command } from 'commander';
import type { ValueType } from '../promql/ast.ts';
import { typeOf } from '../promql/check.ts';
import { featuresFrom } from '../promql/features.ts';
import { positionOf } from '../promql/parse-error.ts';
import { parseExpr } from '../promql/parse.ts';
import { printExpr } from '../promql/print.ts';
import { enableFeatureOption } from './enable-feature.ts';
import { selectorsOf, whyMissing } from './missing-series.ts';
import { exprText, printMade } from './promql-text.ts';
import { aligned } from './query-table.ts';

interface Options {
  readonly agent?: string;
  readonly enableFeature: readonly string[];
  readonly json?: boolean;
}

/** What is known of an expression; positions are 1-based. */
interface Checked {
  readonly type: ValueType;
  readonly selectors: readonly {
    readonly line: number;
    readonly column: number;
    readonly selector: string;
    /** Why it has no series; missing where it has some or nobody was asked. */
    readonly hint?: string;
  }[];
}

/** `comity promql check EXPR`: its type and what it reads, or where it is wrong. */
export function promqlCheckCommand(): Command {
  return new Command('check')
    .description('Check a PromQL expression: its type and its selectors, or where the mistake is.')
    .argument('<expr>', 'the expression; - reads it from standard input')
    .option(
      '--agent <url>',
      'the query address of an agent, or a hub: tells which selectors have no series there, and why',
    )
    .addOption(enableFeatureOption())
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExit status: 0 valid, 1 a mistake, 2 valid but a selector has no series (with --agent).')
    .action((expr: string, options: Options) =>
      printMade(options.json, async () => exitStatus(await checked(exprText(expr), options)), checkedText),
    );
}

async function checked(text: string, { agent, enableFeature }: Options): Promise<Checked> {
  const expr = parseExpr(text, featuresFrom(enableFeature));
  const selectors: Checked['selectors'][number][] = [];
  for (const selector of selectorsOf(expr)) {
    const hint = agent === undefined ? undefined : await whyMissing(selector, agent);
    const place = positionOf(text, selector.span.start);
    selectors.push({ ...place, selector: printExpr(selector), ...(hint === undefined ? {} : { hint }) });
  }
  return { type: typeOf(expr), selectors };
}

function exitStatus(made: Checked): Checked {
  if (made.selectors.some(({ hint }) => hint !== undefined)) process.exitCode = 2;
  return made;
}

function checkedText({ type, selectors }: Checked): string {
  const rows = selectors.map(({ line, column, selector, hint }) => [`${line}:${column}`, selector, hint ?? '']);
  return rows.length === 0 ? `type: ${type}` : `type: ${type}\n${aligned(rows)}`;
}
