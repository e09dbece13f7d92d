import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ComityError, messageOf } from '../base/errors.ts';
import type { StoreParts } from './open-parts.ts';

/**
 * Copies a store whose files nothing moves between in the meantime. The copy appears under its name when it is whole. Appends
 * may go on: what they store while their log is being copied is in the copy as far as it was reached.
 */
export async function backupStore(parts: StoreParts, folder: string): Promise<{ readonly bytes: number }> {
  if (existsSync(folder)) throw new ComityError('bad_config', `${folder} is there already. Name a folder that is not`);
  const partial = join(dirname(folder), `.${basename(folder)}.partial`);
  try {
    rmSync(partial, { recursive: true, force: true });
    mkdirSync(partial, { recursive: true });
    for (const { name, copyTo } of parts.files()) await copyTo(join(partial, name));
    renameSync(partial, folder);
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    const reason = messageOf(error);
    throw new ComityError('bad_config', `the backup to ${folder} failed and nothing of it was kept: ${reason}`);
  }
  let bytes = 0;
  for (const file of readdirSync(folder)) bytes += statSync(join(folder, file)).size;
  return { bytes };
}
