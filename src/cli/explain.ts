import { Command } from 'commander';
import { ALL_HUB_FEATURES } from '../promql/features.ts';
import { parseExpr } from '../promql/parse.ts';
import { askExplanation } from './explain-request.ts';
import { queryParams } from './hub-request.ts';
import { explanationText } from './explain-text.ts';
import { exprText, printMade } from './promql-text.ts';

interface Options {
  readonly hub: string;
  readonly time?: string;
  readonly start?: string;
  readonly end?: string;
  readonly step?: string;
  readonly approx?: string;
  readonly analyze?: boolean;
  readonly json?: boolean;
}

/** `comity explain EXPR`: what a hub would ask its domains, and what they say to it. */
export function explainCommand(): Command {
  return new Command('explain')
    .description(
      'Ask a hub how a PromQL query runs: what each domain is asked, what it lets out, what stays at the hub.',
    )
    .argument('<expr>', 'the expression; - reads it from standard input')
    .option('--hub <url>', 'the hub’s address', process.env['COMITY_HUB'] ?? 'http://127.0.0.1:9090')
    .option('--time <time>', 'evaluate at this time (Unix seconds or RFC 3339) instead of now')
    .option('--start <time>', 'first step of a range query')
    .option('--end <time>', 'last step of a range query (now when left out)')
    .option('--step <duration>', 'distance of the steps of a range query (15s when left out)')
    .option('--approx <error>', 'the relative error that quantile may have, such as 0.01')
    .option('--analyze', 'run the query too, and tell rows, bytes and time')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExit status: 0 every domain asked would answer, 2 one refuses or is silent, 1 a mistake.')
    .action((argument: string, options: Options) =>
      printMade(
        options.json,
        async () => {
          const text = exprText(argument);
          // A mistake is shown under the text itself; what is experimental, the hub may have or not.
          parseExpr(text, ALL_HUB_FEATURES);
          const params = queryParams(text, options);
          if (options.analyze === true) params.set('analyze', 'true');
          const explanation = await askExplanation(options.hub, params);
          const parts = explanation.fragments.flatMap(({ domains }) => domains);
          const falls = parts.some(({ verdict }) => verdict === 'refused' || verdict === 'unknown');
          if (falls || explanation.refused !== undefined) process.exitCode = 2;
          return explanation;
        },
        explanationText,
      ),
    );
}
