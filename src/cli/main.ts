import { Command } from 'commander';
import { ComityError, messageOf } from '../base/errors.ts';
import { VERSION } from '../base/version.ts';

/** Each is loaded when it is named: all of them together are the whole project. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  agent: async () => (await import('./agent.ts')).agentCommand(),
  hub: async () => (await import('./hub.ts')).hubCommand(),
  query: async () => (await import('./query.ts')).queryCommand(),
  explain: async () => (await import('./explain.ts')).explainCommand(),
  check: async () => (await import('./check.ts')).checkCommand(),
  policy: async () => (await import('./policy.ts')).policyCommand(),
  redact: async () => (await import('./redact.ts')).redactCommand(),
  compliance: async () => (await import('./compliance.ts')).complianceCommand(),
  ledger: async () => (await import('./ledger.ts')).ledgerCommand(),
  keys: async () => (await import('./keys.ts')).keysCommand(),
  witness: async () => (await import('./witness.ts')).witnessCommand(),
  promql: async () => (await import('./promql.ts')).promqlCommand(),
};

const program = new Command('comity')
  .description('One exact answer over many domains whose raw telemetry may not leave.')
  .version(VERSION)
  .showHelpAfterError('(comity --help lists the commands)');

try {
  const [named = ''] = process.argv.slice(2);
  const wanted = Object.hasOwn(COMMANDS, named) ? [COMMANDS[named]!] : Object.values(COMMANDS);
  for (const load of wanted) program.addCommand(await load());
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`comity: ${messageOf(error)}\n`);
  if (!(error instanceof ComityError) && process.env['COMITY_DEBUG'] !== undefined)
    process.stderr.write(`${(error as Error).stack}\n`);
  process.exitCode = 1;
}
