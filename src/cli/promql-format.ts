import { Command } from 'commander';
import { ALL_HUB_FEATURES } from '../promql/features.ts';
import { formatExpr } from '../promql/format.ts';
import { exprText, printMade } from './promql-text.ts';

/** `comity promql format EXPR`: the expression as Prometheus's `/api/v1/format_query` writes it. */
export function promqlFormatCommand(): Command {
  return new Command('format')
    .description('Print a PromQL expression in its canonical form, on several lines where it is long.')
    .argument('<expr>', 'the expression; - reads it from standard input')
    .option('--json', 'print {"formatted": …}, or where the mistake is')
    .addHelpText('after', '\nExit status: 0 formatted, 1 no valid PromQL.')
    .action((expr: string, { json }: { readonly json?: boolean }) =>
      printMade(
        json,
        () => ({ formatted: formatExpr(exprText(expr), ALL_HUB_FEATURES) }),
        ({ formatted }) => formatted,
      ),
    );
}
