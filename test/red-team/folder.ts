import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { Crossings } from './crossings.ts';

/** Looks through all files of a folder that `isOf` says of. */
export function searchFolder(dir: string, crossings: Crossings, isOf: (file: string) => boolean): void {
  for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    if (isOf(file)) crossings.crossed(`the file ${relative(dir, file)}`, readFileSync(file));
  }
}
