import { Command } from 'commander';
import { policyCanaryCommand } from './policy-canary.ts';
import { policyCheckCommand } from './policy-check.ts';
import { policyDiffCommand } from './policy-diff.ts';
import { policyDraftCommand } from './policy-draft.ts';
import { policyExplainCommand } from './policy-explain.ts';
import { policyBundleCommand, policySignCommand } from './policy-sign.ts';
import { policyTestCommand } from './policy-test.ts';

/** `comity policy …`: what there is to do with the documents that say what may leave a domain. */
export function policyCommand(): Command {
  return new Command('policy')
    .description('Work with policies, which say what may leave a domain: check, test, explain, compare, draft, sign.')
    .addCommand(policyCheckCommand())
    .addCommand(policyTestCommand())
    .addCommand(policyExplainCommand())
    .addCommand(policyDiffCommand())
    .addCommand(policyDraftCommand())
    .addCommand(policySignCommand())
    .addCommand(policyBundleCommand())
    .addCommand(policyCanaryCommand());
}
