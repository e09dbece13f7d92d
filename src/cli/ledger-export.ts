import { Command } from 'commander';
import { exportLedger } from '../ledger/export.ts';
import { progress } from './ledger-keys.ts';

/** `comity ledger export FILE DIR`: the ledger as a folder of tiles. */
export function ledgerExportCommand(): Command {
  return new Command('export')
    .description('Write a ledger as a folder of tiles (C2SP tlog-tiles) for auditors. Salts stay behind.')
    .argument('<file>', 'the ledger’s SQLite file; its agent may run')
    .argument('<dir>', 'a folder that is empty or not there')
    .option('--json', 'print {"leaves": …}')
    .action((file: string, folder: string, { json }: { readonly json?: boolean }) => {
      const leaves = exportLedger(file, folder, progress('written'));
      process.stdout.write(json === true ? `${JSON.stringify({ leaves })}\n` : `${leaves} leaves in ${folder}\n`);
    });
}
