/*
 * Writes fixtures/federation anew, after a change of the federation protocol that is meant: the bytes of each message and,
 * beside them, what they say. Look at the difference before it is kept: bytes that change for a message of the same version
 * part agents and hubs that are not updated together.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { FEDERATION_VERSION } from '../src/plan/frames/version.ts';
import { GOLDENS, readable } from '../test/plan/golden-frames.ts';

const HEX_BYTES = 40;

const folder = new URL('../fixtures/federation/', import.meta.url);
mkdirSync(folder, { recursive: true });
for (const { name, encode, decode } of GOLDENS) {
  const bytes = encode();
  const file = new URL(`v${FEDERATION_VERSION}-${name}`, folder).pathname;
  const hex = Buffer.from(bytes).toString('hex');
  const lines = hex.match(new RegExp(`.{1,${HEX_BYTES * 2}}`, 'g')) ?? [];
  writeFileSync(`${file}.hex`, `${lines.join('\n')}\n`);
  writeFileSync(`${file}.json`, `${JSON.stringify(readable(decode(bytes)), null, 2)}\n`);
  process.stdout.write(`${name}: ${bytes.length} bytes\n`);
}
