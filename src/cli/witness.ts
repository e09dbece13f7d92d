import { statSync } from 'node:fs';
import { Command } from 'commander';
import { ComityError } from '../base/errors.ts';
import { verifierOf } from '../base/note-key.ts';
import { openWitnessDb, type WitnessDb, type WitnessedLog } from '../hub/witness-db.ts';

/** `comity witness`: what a hub remembers of its domains' ledgers. The hub may run meanwhile. */
export function witnessCommand(): Command {
  return new Command('witness')
    .description('Show what a hub remembers of its domains’ ledgers, and make it forget one.')
    .addCommand(showCommand())
    .addCommand(forgetCommand());
}

const STATE = ['--state <file>', 'the file that the hub’s configuration names under state.path'] as const;

function showCommand(): Command {
  return new Command('show')
    .description('List the ledgers: how far each is known to have only grown, who is trusted to keep it, and forks.')
    .requiredOption(...STATE)
    .option('--json', 'all that is known, the checkpoints that prove a fork included')
    .action(({ state, json }: { readonly state: string; readonly json?: boolean }) =>
      withState(state, (db) => {
        const logs = db.logs().map((log) => describe(log, db));
        if (json === true) process.stdout.write(`${JSON.stringify(logs)}\n`);
        else for (const log of logs) process.stdout.write(textOf(log));
      }),
    );
}

function forgetCommand(): Command {
  return new Command('forget')
    .description(
      'Forget a ledger, once it is known why it forked or got another key. Its agent’s key is then the one that the ' +
        'configuration gives, or the next one that it shows.',
    )
    .requiredOption(...STATE)
    .argument('<ledger>', 'its origin, or its key')
    .action((ledger: string, { state }: { readonly state: string }) =>
      withState(state, (db) => {
        const found = db.logs().filter(({ vkey }) => vkey === ledger || verifierOf(vkey).name === ledger);
        if (found.length === 0) throw new ComityError('not_found', `${state} knows no ledger ${ledger}`);
        for (const { vkey } of found) {
          db.forget(vkey);
          process.stdout.write(`forgot ${vkey}\n`);
        }
      }),
    );
}

interface Described {
  readonly origin: string;
  readonly key: string;
  readonly size: number;
  readonly trustedFor: readonly string[];
  readonly fork?: { readonly why: string; readonly at: string; readonly checkpoints: readonly [string, string] };
}

function describe({ vkey, latest, fork }: WitnessedLog, db: WitnessDb): Described {
  return {
    origin: verifierOf(vkey).name,
    key: vkey,
    size: latest?.size ?? 0,
    trustedFor: db.trustedKeys().flatMap((one) => (one.vkey === vkey ? [`${one.domain} at ${one.url}`] : [])),
    ...(fork === undefined
      ? {}
      : { fork: { why: fork.why, at: new Date(fork.atMs).toISOString(), checkpoints: fork.checkpoints } }),
  };
}

function textOf({ origin, key, size, trustedFor, fork }: Described): string {
  const lines = [
    `${origin}: ${size} entries witnessed${fork === undefined ? '' : `; FORKED at ${fork.at}: ${fork.why}`}`,
    `  key ${key}`,
    ...trustedFor.map((whom) => `  trusted on first use for ${whom}`),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

/** Never makes a file: what is not there is a mistake in the name. */
function withState(path: string, use: (db: WitnessDb) => void): void {
  if (statSync(path, { throwIfNoEntry: false }) === undefined)
    throw new ComityError('bad_config', `there is no file ${path}`);
  const db = openWitnessDb(path);
  try {
    use(db);
  } finally {
    db.close();
  }
}
