import { Command, Option } from 'commander';
import { wholeNumber } from '../command-line.ts';
import { MUTANT_NAMES, MUTANTS, type MutantName } from './mutants.ts';

export interface Options {
  readonly seed: number;
  readonly cases: number;
  /** Runs one case of the seed alone. */
  readonly only?: number;
  readonly mutant?: MutantName;
  readonly json: boolean;
  readonly verbose: boolean;
}

/** Reads the command line; prints the help or what is wrong with it and exits where that is all there is to do. */
export function readOptions(argv: readonly string[]): Options {
  const names = Object.entries(MUTANTS).map(([name, { what }]) => `  ${name.padEnd(22)}${what}`);
  const command = new Command('npm run differential --')
    .description(
      'Asks a federation of three domains and one real Prometheus that holds all their series the same random queries.',
    )
    .option('--seed <number>', 'seed of the data and of the queries', wholeNumber, 7)
    .option('--cases <number>', 'how many queries to ask', wholeNumber, 300)
    .option('--only <case>', 'ask one case of the seed alone', wholeNumber)
    .addOption(new Option('--mutant <name>', 'plant a fault first and see it found').choices(MUTANT_NAMES))
    .option('--json', 'print the summary as JSON', false)
    .option('--verbose', 'print every query and its verdict on stderr', false)
    .addHelpText(
      'after',
      [
        '',
        'Mutants:',
        ...names,
        '',
        'Exit status: 0 when nothing was wrong (with --mutant: when the mutant survived), 1 when an answer was wrong or',
        'too few were non-empty or too many refused (with --mutant: when a query caught it), 2 when the test cannot run.',
        'Needs Prometheus 3.15 or newer: COMITY_ORACLE names the program, else it is looked for or built with Go.',
      ].join('\n'),
    );
  command.exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  return command.parse(argv, { from: 'user' }).opts<Options>();
}
