import { readdirSync, readFileSync } from 'node:fs';

/** Where the sources decide that something may not leave. */

const SRC = new URL('../../src/', import.meta.url);

/** Sources of the border and of the policy's checks that it makes. */
const FILES: readonly string[] = [
  ...readdirSync(new URL('border/', SRC)).map((name) => `border/${name}`),
  'policy/check.ts',
  'policy/whole-series.ts',
  'policy/carried-labels.ts',
  'policy/selected-metrics.ts',
];

/** Each refusal that a source file makes, as `file code`, and each function of a check, as `file name`; each once. */
export function decisionsInSource(): ReadonlySet<string> {
  const found = new Set<string>();
  for (const file of FILES) {
    const source = readFileSync(new URL(file, SRC), 'utf8');
    for (const [, code] of source.matchAll(/\bcode: (?:[^,\n]*\? [^,\n]* : )?'([a-z_]+)'/g))
      found.add(`${file} ${code}`);
    for (const [, name] of source.matchAll(/\bfunction (check[A-Z]\w*)/g)) found.add(`${file} ${name}`);
  }
  return found;
}
