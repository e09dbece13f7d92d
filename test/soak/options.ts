import { Command, InvalidArgumentError, Option } from 'commander';
import { wholeNumber } from '../command-line.ts';
import { FAULT_NAMES, FAULTS, type FaultName } from './faults.ts';

export interface Options {
  readonly minutes: number;
  readonly seed: number;
  readonly series: number;
  /** As in an agent's configuration. */
  readonly shards: number;
  readonly fault?: FaultName;
  readonly json: boolean;
}

/** Reads the command line; prints the help or what is wrong with it and exits where that is all there is to do. */
export function readOptions(argv: readonly string[]): Options {
  const faults = Object.entries(FAULTS).map(([name, { what }]) => `  ${name.padEnd(22)}${what}`);
  const command = new Command('npm run soak --')
    .description(
      'Runs an agent for a while under everything at once: samples in order and out of order, queries, deletions, ' +
        'compactions, backups and kills; and compares all that it answers with a model of what it must hold.',
    )
    .option('--minutes <number>', 'how long', minutes, 10)
    .option('--seed <number>', 'seed of the data and of all choices', wholeNumber, 1)
    .option('--series <number>', 'series that are sent to at a time', atLeast(20), 400)
    .option('--shards <number>', 'threads with a store each, 0 for none', wholeNumber, 2)
    .addOption(new Option('--fault <name>', 'plant a fault first and see it found').choices(FAULT_NAMES))
    .option('--json', 'print the summary as JSON', false)
    .addHelpText(
      'after',
      [
        '',
        'Faults:',
        ...faults,
        '',
        'Exit status: 0 when every answer was right, 1 when one was not or when less happened than one kill, deletion and',
        'compaction a minute, 2 when the test cannot run.',
      ].join('\n'),
    );
  command.exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  return command.parse(argv, { from: 'user' }).opts<Options>();
}

function minutes(text: string): number {
  const value = Number(text);
  if (!(value >= 0.2 && value <= 10_000)) throw new InvalidArgumentError('not a number from 0.2 to 10000');
  return value;
}

function atLeast(low: number): (text: string) => number {
  return (text) => {
    const value = wholeNumber(text);
    if (value < low) throw new InvalidArgumentError(`not a whole number of at least ${low}`);
    return value;
  };
}
