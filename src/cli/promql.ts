import { Command } from 'commander';
import { promqlCheckCommand } from './promql-check.ts';
import { promqlExplainCommand } from './promql-explain.ts';
import { promqlFormatCommand } from './promql-format.ts';
import { promqlTestCommand } from './promql-test.ts';

/** `comity promql …`: what there is to do with PromQL without an agent or a hub. */
export function promqlCommand(): Command {
  return new Command('promql')
    .description('Work with PromQL itself: format, check and explain expressions, run test scripts.')
    .addCommand(promqlFormatCommand())
    .addCommand(promqlCheckCommand())
    .addCommand(promqlExplainCommand())
    .addCommand(promqlTestCommand());
}
