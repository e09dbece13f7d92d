import { Command } from 'commander';
import { ComityError, messageOf } from '../base/errors.ts';
import { VERSION } from '../base/version.ts';
import { agentCommand } from './agent.ts';
import { checkCommand } from './check.ts';
import { explainCommand } from './explain.ts';
import { hubCommand } from './hub.ts';
import { promqlCommand } from './promql.ts';
import { queryCommand } from './query.ts';

const program = new Command('comity')
  .description('One exact answer over many domains whose raw telemetry may not leave.')
  .version(VERSION)
  .showHelpAfterError('(comity --help lists the commands)')
  .addCommand(agentCommand())
  .addCommand(hubCommand())
  .addCommand(queryCommand())
  .addCommand(explainCommand())
  .addCommand(checkCommand())
  .addCommand(promqlCommand());

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`comity: ${messageOf(error)}\n`);
  if (!(error instanceof ComityError) && process.env['COMITY_DEBUG'] !== undefined)
    process.stderr.write(`${(error as Error).stack}\n`);
  process.exitCode = 1;
}
