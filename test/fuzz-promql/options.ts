import { Command, Option } from 'commander';
import type { EgressClass } from '../../src/policy/egress-class.ts';
import { wholeNumber } from '../command-line.ts';
import { MUTANT_NAMES, MUTANTS, type MutantName } from './mutants.ts';

export interface Options {
  readonly cases: number;
  readonly seed: number;
  readonly mutant?: MutantName;
  readonly shards: number;
  /** 0 for an agent by itself instead of a federation. */
  readonly domains: number;
  readonly class: EgressClass;
  /** Left out: data sets take turns. */
  readonly features?: 'on' | 'off';
  /** Asks one case of the seed alone; `target` is the construct that it was steered to. */
  readonly only?: number;
  readonly target?: string;
  readonly json: boolean;
  readonly verbose: boolean;
}

/** Reads the command line; prints the help or what is wrong with it and exits where that is all there is to do. */
export function readOptions(argv: readonly string[]): Options {
  const names = Object.entries(MUTANTS).map(([name, { what }]) => `  ${name.padEnd(24)}${what}`);
  const command = new Command('npm run fuzz:promql --')
    .description(
      'Asks an agent, or a federation, and a real Prometheus that hold the same samples the same random queries.',
    )
    .option('--cases <number>', 'how many queries to ask', wholeNumber, 1_000)
    .option('--seed <number>', 'seed of the data and of the queries', wholeNumber, 1)
    .addOption(new Option('--mutant <name>', 'plant a fault first and see it found').choices(MUTANT_NAMES))
    .option('--shards <number>', 'threads of the store of an agent or of each domain; 0 for none', wholeNumber, 0)
    .option('--domains <number>', 'ask a federation of so many domains instead of an agent', wholeNumber, 0)
    .addOption(
      new Option('--class <class>', 'of every metric in each domain').choices(['open', 'aggregate']).default('open'),
    )
    .addOption(
      new Option('--features <state>', 'experimental features; data sets take turns when left out').choices([
        'on',
        'off',
      ]),
    )
    .option('--only <case>', 'ask one case of the seed alone', wholeNumber)
    .option('--target <construct>', 'with --only: what the case was steered to')
    .option('--json', 'print the summary as JSON', false)
    .option('--verbose', 'print every query and its verdict on stderr', false)
    .addHelpText(
      'after',
      [
        '',
        'Mutants:',
        ...names,
        '',
        'Exit status: 0 when nothing was wrong (with --mutant: when the mutant survived), 1 when an answer was wrong or, in a',
        'long run, a construct of the language was too rare (with --mutant: when a query caught it), 2 when it cannot run.',
        'Needs Prometheus 3.15 or newer: COMITY_ORACLE names the program, else it is looked for or built with Go.',
      ].join('\n'),
    );
  command.exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  return command.parse(argv, { from: 'user' }).opts<Options>();
}
