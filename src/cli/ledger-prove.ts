import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { ComityError } from '../base/errors.ts';
import { writeProof } from '../ledger/proof.ts';
import { openLedgerReader, proveEntry } from '../ledger/reader.ts';

/** `comity ledger prove PATH INDEX`: one leaf with all that it takes to prove it. */
export function ledgerProveCommand(): Command {
  return new Command('prove')
    .description('Write one leaf, its inclusion proof and the checkpoint as text (C2SP tlog-proof).')
    .argument('<path>', 'the ledger’s SQLite file, or the folder of an export')
    .argument('<index>', 'the leaf, from 0')
    .option('-o, --out <file>', 'where to; standard output when left out')
    .addHelpText('after', '\nWhoever has the key verifies it: comity ledger verify --proof FILE --keys VKEY')
    .action((path: string, text: string, { out }: { readonly out?: string }) => {
      const reader = openLedgerReader(path);
      try {
        const index = indexOf(text, reader.size);
        // Read to its end: a database that is in the middle of one query takes no other.
        const [value] = [...reader.entries(index, index + 1)];
        if (value === undefined) throw new ComityError('bad_data', `leaf ${index} cannot be read`);
        const { bytes: leaf } = value;
        const proof = writeProof({ leaf, index, proof: proveEntry(reader, index), checkpoint: reader.checkpoint });
        if (out === undefined) process.stdout.write(proof);
        else writeFileSync(out, proof);
      } finally {
        reader.close();
      }
    });
}

function indexOf(text: string, size: number): number {
  const index = /^[0-9]{1,15}$/.test(text) ? Number(text) : Infinity;
  if (index < size) return index;
  throw new ComityError('bad_data', `${JSON.stringify(text)} is no leaf: there are ${size}, from 0 to ${size - 1}`);
}
