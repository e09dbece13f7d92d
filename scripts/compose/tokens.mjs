/*
 * Writes a new 256-bit token into each of the folders, unless it has one: agents and hub must agree after a restart as
 * well. Readable for the user that agents and hub run as.
 */
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The user `node` of the image. */
const NODE_UID = 1000;

for (const folder of process.argv.slice(2)) {
  const path = join(folder, 'token');
  if (existsSync(path)) continue;
  writeFileSync(path, `${randomBytes(32).toString('hex')}\n`, { mode: 0o400 });
  if (process.getuid?.() === 0) chownSync(path, NODE_UID, NODE_UID);
}
