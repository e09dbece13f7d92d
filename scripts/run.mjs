/*
 * `node scripts/run.mjs FILE.ts [ARGUMENT …]`: runs FILE on the project's own Node, whatever Node started this, and
 * installs the packages first where they are missing. FILE is looked up from the project's root.
 */
import { resolve } from 'node:path';
import { ROOT, runOnProjectNode } from './project-node.mjs';

const [file, ...args] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write('usage: node scripts/run.mjs FILE.ts [ARGUMENT …]\n');
  process.exit(2);
}
runOnProjectNode(resolve(ROOT, file), args);
