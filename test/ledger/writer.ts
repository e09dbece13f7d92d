/*
 * `node writer.ts FOLDER WRITERS`: appends leaves without an end and prints each one that it was told is on disk, at once. Run
 * to be killed, or to run out of room: then it prints what it was told, and ends.
 */
import { join } from 'node:path';
import type { ComityError } from '../../src/base/errors.ts';
import { leafWriter } from '../../src/ledger/leaf-writer.ts';
import { openLedger } from '../../src/ledger/open-ledger.ts';

/** What a writer prints: of a leaf that is on disk, or how it ended. */
export type Told =
  | { readonly index: number; readonly leaf: string }
  | { readonly ended: string; readonly message: string; readonly size: number };

export const ORIGIN = 'comity.dev/eu/agent-1';
export const FILE = 'a.ledger.sqlite';
export const KEY = 'a.ledger.key';

const [folder, writers] = process.argv.slice(2);
if (folder !== undefined && import.meta.filename === process.argv[1]) {
  // A file that is as long as it may be is an error of the write then, rather than the end.
  process.on('SIGXFSZ', () => {});
  await write(folder, Number(writers));
}

async function write(into: string, count: number): Promise<void> {
  const ledger = await openLedger({ path: join(into, FILE), keyPath: join(into, KEY), origin: ORIGIN });
  const about = { domain: 'eu', agent: 'agent-1', now: Date.now };
  // Goes through the writer of start leaves, and keeps the bytes.
  let last: Uint8Array = new Uint8Array();
  const kept = {
    ...ledger,
    append: (leaf: Uint8Array) => {
      last = leaf;
      return ledger.append(leaf);
    },
  };
  const writer = leafWriter(kept, about);
  let n = 0;
  try {
    await Promise.all(
      Array.from({ length: count }, async () => {
        for (;;) {
          const index = ledger.head().size;
          const appended = writer.start({
            jurisdiction: `EU ${process.pid} ${n++} ${'x'.repeat(200)}`,
            source: 'store',
          });
          const leaf = Buffer.from(last).toString();
          await appended;
          tell({ index, leaf });
        }
      }),
    );
  } catch (error) {
    const { code, message } = error as ComityError;
    tell({ ended: code, message, size: ledger.head().size });
    process.exit(0);
  }
}

function tell(told: Told): void {
  // To a pipe this is written before it returns.
  process.stdout.write(`${JSON.stringify(told)}\n`);
}
