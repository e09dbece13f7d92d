import { Command, InvalidArgumentError, Option } from 'commander';
import { DOMAINS } from './topology.ts';

export interface DemoOptions {
  /** Answer once and end, instead of a table that lives until it is stopped. */
  readonly once: boolean;
  /** With `once`: one JSON document on standard output. */
  readonly json: boolean;
  /** Run directory to use and leave behind; a temporary one otherwise. */
  readonly keep: string | undefined;
  /** Kill this domain's agent so many seconds after the first complete answer, and restart it so many after that. */
  readonly killing:
    | { readonly domain: string; readonly killAfterMs: number; readonly restartAfterMs: number | undefined }
    | undefined;
}

/** Reads the command line; prints help or what is wrong with it and ends the process itself in those cases. */
export function readOptions(args: readonly string[]): DemoOptions {
  const names = DOMAINS.map((one) => one.name);
  const command = new Command('demo')
    .description(
      `Runs a federation on this machine: an agent and real instrumented services in each of ${names.join(', ')}, ` +
        'and one hub that answers questions over all of them. Nothing but loopback is used.',
    )
    .usage('[options]   (after npm run: npm run demo -- [options])')
    .option('--once', 'answer every question once, completely, then end')
    .option('--json', 'with --once: print one JSON document and nothing else on standard output')
    .option('--keep <dir>', 'keep configurations, stores and logs in this directory')
    .option('--kill-after <seconds>', 'kill -9 one agent so long after the first complete answer', seconds)
    .option('--restart-after <seconds>', 'start that agent again so long after it was killed', seconds)
    .addOption(new Option('--domain <name>', 'whose agent to kill').choices(names).default('ap-south'))
    .addHelpText(
      'after',
      '\nOn a terminal: k kills an agent or restarts the one that is down, q quits.\n' +
        'Examples:\n' +
        '  npm run demo\n' +
        '  npm run -s demo -- --once --json | jq .\n' +
        '  npm run demo -- --kill-after 20 --restart-after 15 --domain us-east',
    )
    .parse([...args], { from: 'user' });
  const given = command.opts<{
    once?: true;
    json?: true;
    keep?: string;
    killAfter?: number;
    restartAfter?: number;
    domain: string;
  }>();
  if (given.json && !given.once) command.error("error: option '--json' needs '--once'");
  if (given.once && given.killAfter !== undefined) {
    command.error("error: option '--kill-after' makes no sense with '--once', which ends at its first answer");
  }
  if (given.restartAfter !== undefined && given.killAfter === undefined) {
    command.error("error: option '--restart-after' needs '--kill-after'");
  }
  return {
    once: given.once === true,
    json: given.json === true,
    keep: given.keep,
    killing:
      given.killAfter === undefined
        ? undefined
        : {
            domain: given.domain,
            killAfterMs: given.killAfter * 1_000,
            restartAfterMs: given.restartAfter === undefined ? undefined : given.restartAfter * 1_000,
          },
  };
}

function seconds(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < 0 || value > 86_400) {
    throw new InvalidArgumentError('Give seconds between 0 and 86400.');
  }
  return value;
}
