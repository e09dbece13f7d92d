import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { adminSocket } from '../agent/admin.ts';
import { readAgentConfig } from '../agent/config.ts';
import type { KeysAnswer } from '../agent/key-report.ts';
import { ComityError, messageOf } from '../base/errors.ts';
import { parsePolicy } from '../policy/document.ts';
import { askAdmin } from './admin-request.ts';
import { draftText } from './policy-draft-text.ts';

interface Options {
  readonly config?: string;
  readonly socket?: string;
  readonly output?: string;
  readonly json?: boolean;
}

/** `comity policy draft`: proposes a policy from what a running agent has seen. */
export function policyDraftCommand(): Command {
  return new Command('draft')
    .description('Propose a policy from the names of metrics, labels and attributes that a running agent has seen.')
    .option('--config <file>', 'the configuration of the agent, which runs on this machine')
    .option('--socket <path>', 'its administration’s socket, instead: admin.sock in the folder of its store')
    .option('-o, --output <file>', 'write the policy to a file that is not there yet')
    .option('--json', 'print what the agent has seen, as JSON')
    .action(async (options: Options) => {
      const seen = (await askAdmin(socketOf(options), 'GET', '/keys')) as KeysAnswer;
      if (options.json === true) {
        process.stdout.write(`${JSON.stringify(seen)}\n`);
        return;
      }
      const text = draftText(seen, Date.now());
      // A proposal that no agent takes would be of no use to anybody.
      parsePolicy(text, 'the proposal', seen.domain, seen.domainLabel);
      if (options.output === undefined) process.stdout.write(text);
      else write(options.output, text);
    });
}

function socketOf({ config, socket }: Options): string {
  if (config !== undefined && socket === undefined) return adminSocket(readAgentConfig(config).store);
  if (socket !== undefined && config === undefined) return socket;
  throw new ComityError('bad_data', 'say which agent: --config FILE or --socket PATH');
}

function write(path: string, text: string): void {
  try {
    // Whoever has a policy there already has decided something.
    writeFileSync(path, text, { flag: 'wx' });
  } catch (error) {
    throw new ComityError('bad_data', `cannot write ${path}: ${messageOf(error)}`, { cause: error });
  }
}
