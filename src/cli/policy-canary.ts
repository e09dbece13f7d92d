import { Command } from 'commander';
import { adminSocket } from '../agent/admin.ts';
import type { CanaryReport } from '../agent/canary.ts';
import { readAgentConfig } from '../agent/config.ts';
import { hasSource } from '../agent/source-config.ts';
import { ComityError } from '../base/errors.ts';
import { askAdmin } from './admin-request.ts';
import { aligned } from './query-table.ts';

interface Options {
  readonly config: string;
  readonly json?: boolean;
}

/** `comity policy canary`: what a candidate has decided so far beside the policy in force. */
export function policyCanaryCommand(): Command {
  return new Command('canary')
    .description(
      'Print how the candidate that runs beside an agent’s policy (policy_canary, or a canary bundle) decides on the fragments that hubs ask: where it differs first.',
    )
    .requiredOption('-c, --config <file>', 'the agent’s YAML configuration')
    .option('--json', 'print the agent’s JSON')
    .action(async ({ config, json }: Options) => {
      if (hasSource(config)) {
        throw new ComityError(
          'unsupported',
          `${config}: an agent with a source has no administration; see its metrics`,
        );
      }
      const report = (await askAdmin(adminSocket(readAgentConfig(config).store), 'GET', '/canary')) as CanaryReport;
      process.stdout.write(`${json === true ? JSON.stringify(report) : canaryText(report)}\n`);
    });
}

function canaryText({ candidate, inForce, decisions, skipped }: CanaryReport): string {
  if (candidate === null) return 'no candidate: set policy_canary, or publish a bundle made with --canary';
  const lines = decisions.map(({ inForce: known, candidate: says, fragments }) => [
    known === says ? '' : known === 'released' ? 'stricter' : says === 'released' ? 'looser' : 'other',
    known,
    says,
    String(fragments),
  ]);
  return [
    `in force   ${inForce}`,
    `candidate  ${candidate}`,
    '',
    lines.length === 0 ? '(no fragment yet)' : aligned([['CHANGE', 'IN FORCE', 'CANDIDATE', 'FRAGMENTS'], ...lines]),
    ...(skipped === 0 ? [] : [`${skipped} fragments were not decided twice: there were too many at once`]),
  ].join('\n');
}
