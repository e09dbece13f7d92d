import { Command } from 'commander';
import { changeText, policyDiff } from '../policy/diff.ts';
import { FILES_HELP, readOnePolicy } from './policy-files.ts';

interface Options {
  readonly loosening?: boolean;
  readonly domainLabel: string;
  readonly json?: boolean;
}

/** `comity policy diff A B`: what the second policy allows that the first does not, and the other way round. */
export function policyDiffCommand(): Command {
  return new Command('diff')
    .description(
      'Print what is different between two policies: metrics, operators, labels, limits, admission; the looser first.',
    )
    .argument('<before>', 'documents of a policy, with commas between several, or a folder of them')
    .argument('<after>', 'those of the other')
    .option('--loosening', 'exit with status 1 if anything is looser')
    .option('--domain-label <name>', 'the label that tells domains apart', 'domain')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `${FILES_HELP}\n\nExit status: 0, or with --loosening 1 if the second allows what the first does not.`,
    )
    .action((before: string, after: string, { loosening, domainLabel, json }: Options) => {
      const [a, b] = [before, after].map((paths) => readOnePolicy(paths.split(','), domainLabel));
      const changes = policyDiff(a!, b!);
      const isLooser = changes.some(({ direction }) => direction !== 'stricter');
      if (loosening === true && isLooser) process.exitCode = 1;
      const text = changes.length === 0 ? 'the same' : changes.map(changeText).join('\n');
      process.stdout.write(`${json === true ? JSON.stringify({ looser: isLooser, changes }) : text}\n`);
    });
}
