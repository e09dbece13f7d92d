import { Command } from 'commander';
import { ledgerExportCommand } from './ledger-export.ts';
import { ledgerProveCommand } from './ledger-prove.ts';
import { ledgerShowCommand } from './ledger-show.ts';
import { ledgerVerifyCommand } from './ledger-verify.ts';

/** `comity ledger`: what has left a domain, and the proof of it. All of it works offline. */
export function ledgerCommand(): Command {
  return new Command('ledger')
    .description('Read and verify the ledger of an agent: its SQLite file, or the folder of an export. Works offline.')
    .addCommand(ledgerVerifyCommand())
    .addCommand(ledgerShowCommand())
    .addCommand(ledgerProveCommand())
    .addCommand(ledgerExportCommand());
}
