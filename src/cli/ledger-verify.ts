import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { ComityError, messageOf } from '../base/errors.ts';
import { verifyProof } from '../ledger/proof.ts';
import type { VerifiedLedger, WitnessedSize } from '../ledger/verify-parts.ts';
import { verifyLedger } from '../ledger/verify.ts';
import { keysOption, progress, readKeys } from './ledger-keys.ts';

interface Options {
  readonly keys: readonly string[];
  readonly proof?: string;
  readonly ignoreUnknown?: boolean;
  readonly json?: boolean;
}

/** `comity ledger verify PATH --keys …`: works out every hash anew. */
export function ledgerVerifyCommand(): Command {
  return new Command('verify')
    .description('Prove that a ledger is whole and is what its key has signed: every hash is worked out anew.')
    .argument('[path]', 'the ledger’s SQLite file, or the folder of an export')
    .addOption(keysOption().makeOptionMandatory())
    .option('--proof <file>', 'verify one leaf by what `comity ledger prove` wrote, instead of a whole ledger')
    .option('--ignore-unknown', 'leave signatures alone whose keys were not given, instead of taking them for a fault')
    .option('--json', 'print {"ok": true, …}, or {"ok": false, "error": …}')
    .addHelpText('after', '\nExit status: 0 whole, 1 not: the first bad leaf, tile or checkpoint is named.')
    .action((path: string | undefined, options: Options) => {
      try {
        const { text, result } = options.proof === undefined ? whole(path, options) : one(path, options.proof, options);
        process.stdout.write(options.json === true ? `${JSON.stringify({ ok: true, ...result })}\n` : `${text}\n`);
      } catch (error) {
        if (options.json !== true) throw error;
        process.stdout.write(`${JSON.stringify({ ok: false, error: messageOf(error) })}\n`);
        process.exitCode = 1;
      }
    });
}

function whole(path: string | undefined, options: Options) {
  if (path === undefined) throw new ComityError('bad_config', 'name a ledger, or a proof with --proof');
  const verified = verifyLedger(path, readKeys(options.keys), {
    isStrict: options.ignoreUnknown !== true,
    onProgress: progress('verified'),
  });
  return { text: wholeText(verified), result: { ...verified, root: Buffer.from(verified.root).toString('base64') } };
}

function one(path: string | undefined, file: string, options: Options) {
  if (path !== undefined) throw new ComityError('bad_config', '--proof stands alone: leave out the ledger');
  const proof = file === '-' ? readFileSync(0, 'utf8') : readFileSync(file, 'utf8');
  const proved = verifyProof(proof, readKeys(options.keys), { isStrict: options.ignoreUnknown !== true });
  const { origin, index, size, leaf, witnesses } = proved;
  const lines = [`leaf ${index} is in the log ${origin} of ${size} leaves`, ...witnesses.map(witnessText)];
  return { text: [...lines, JSON.stringify(leaf, undefined, 2)].join('\n'), result: proved };
}

function wholeText({ origin, size, root, witnesses, checkpoints }: VerifiedLedger): string {
  return [
    `whole: ${origin}`,
    `leaves       ${size}`,
    `root         ${Buffer.from(root).toString('base64')}`,
    `checkpoints  ${checkpoints}`,
    ...witnesses.map(witnessText),
  ].join('\n');
}

function witnessText({ name, size, at }: WitnessedSize): string {
  return `witnessed    ${size} leaves by ${name} at ${new Date(at * 1000).toISOString()}`;
}
