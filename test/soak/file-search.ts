import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** Where a text that begins with a prefix lies in a file, and the number behind the prefix. */
export interface Found {
  readonly file: string;
  readonly offset: number;
  readonly number: number;
}

const PART_BYTES = 1024 * 1024;

/** Longer than a prefix with any number behind it. */
const OVERLAP_BYTES = 128;

/** Every `<prefix><number>z` in the bytes of all files under a folder, in pieces, so that no file is in memory as a whole. */
export async function* searchFiles(folder: string, prefix: string): AsyncIterable<Found> {
  const buffer = Buffer.alloc(PART_BYTES + OVERLAP_BYTES);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const handle = await open(file).catch(() => undefined);
    // Files come and go.
    if (handle === undefined) continue;
    try {
      for (let at = 0; ; at += PART_BYTES) {
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, at);
        const part = buffer.subarray(0, bytesRead);
        for (
          let found = part.indexOf(prefix);
          found >= 0 && found < PART_BYTES;
          found = part.indexOf(prefix, found + 1)
        ) {
          const rest = part.toString('latin1', found + prefix.length, found + OVERLAP_BYTES);
          const digits = /^(\d+)z/.exec(rest)?.[1];
          if (digits !== undefined) yield { file, offset: at + found, number: Number(digits) };
        }
        if (bytesRead < buffer.length) break;
      }
    } finally {
      await handle.close();
    }
  }
}
