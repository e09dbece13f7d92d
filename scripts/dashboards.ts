/** Writes the dashboards' JSON from their sources: `node scripts/run.mjs scripts/dashboards.ts`. A test compares the two. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { FEDERATION } from '../dashboards/federation.ts';

const FOLDER = join(import.meta.dirname, '..', 'dashboards');

writeFileSync(join(FOLDER, 'federation.json'), `${JSON.stringify(FEDERATION, undefined, 2)}\n`);
