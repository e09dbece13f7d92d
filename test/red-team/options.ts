import { Command } from 'commander';
import { wholeNumber } from '../command-line.ts';

export interface Options {
  readonly cases: number;
  readonly seed: number;
  readonly list: boolean;
  readonly listChecks: boolean;
  /** Names of checks, or `all`. */
  readonly disable?: readonly string[];
  readonly inProcess: boolean;
  readonly quick: boolean;
  readonly json: boolean;
}

/** Reads the command line; prints the help or what is wrong with it and exits where that is all there is to do. */
export function readOptions(argv: readonly string[]): Options {
  const command = new Command('npm run redteam --')
    .description(
      'Attacks a federation of real processes whose data is full of canaries: every attempt of a list, then generated ' +
        'fragments by a hub in bad faith. Everything that crosses a border is searched.',
    )
    .option('--cases <number>', 'generated fragments', wholeNumber, 1_000)
    .option('--seed <number>', 'seed of the fragments', wholeNumber, 1)
    .option('--list', 'print what is attempted and what is pending', false)
    .option('--list-checks', "print the border's checks", false)
    .option('--disable <check...>', 'take a check out of an agent, or each in turn (all), and see it noticed')
    .option('--in-process', 'without processes of their own for agents and hubs', false)
    .option('--quick', 'only the agent that most is asked of, its twin and hubs get processes of their own', false)
    .option('--json', 'print the summary as JSON', false)
    .addHelpText(
      'after',
      '\nExit status: 0 when nothing leaked and all was refused as it should be, 1 when not, 2 when it cannot run. With ' +
        '--disable: 1 when each was noticed, 2 when one was not.',
    );
  command.exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  return command.parse(argv, { from: 'user' }).opts<Options>();
}
