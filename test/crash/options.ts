import { Command, Option } from 'commander';
import { wholeNumber } from '../command-line.ts';
import { FAULT_NAMES, FAULTS, type FaultName } from './faults.ts';

export interface Options {
  readonly kills: number;
  readonly seed: number;
  readonly fault?: FaultName;
  readonly json: boolean;
}

/** Reads the command line; prints the help or what is wrong with it and exits where that is all there is to do. */
export function readOptions(argv: readonly string[]): Options {
  const faults = Object.entries(FAULTS).map(([name, { what }]) => `  ${name.padEnd(22)}${what}`);
  const command = new Command('npm run crash --')
    .description(
      'Kills an agent at random moments while senders deliver samples, delta sums, delta histograms and spans, each ' +
        'trying again until it is told of success; then looks for what is missing and what was counted twice.',
    )
    .option('--kills <number>', 'how often to kill the agent', wholeNumber, 50)
    .option('--seed <number>', 'seed of the moments and of the data', wholeNumber, 1)
    .addOption(new Option('--fault <name>', 'plant a fault first and see it found').choices(FAULT_NAMES))
    .option('--json', 'print the summary as JSON', false)
    .addHelpText(
      'after',
      [
        '',
        'Faults:',
        ...faults,
        '',
        'Exit status: 0 when nothing is missing or doubled, 1 when something is, 2 when the test cannot run.',
      ].join('\n'),
    );
  command.exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  return command.parse(argv, { from: 'user' }).opts<Options>();
}
