import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { REFUSAL_CODES } from '../../src/plan/frames/refusal-codec.ts';

const DOCS = join(import.meta.dirname, '../../docs');
const pages = readdirSync(join(DOCS, 'refusals'));

it('every code of a refusal has a page, and every page a code', () => {
  expect(pages.sort()).toEqual(REFUSAL_CODES.map((code) => `${code}.md`).sort());
});

it('every code is in the list', () => {
  const list = readFileSync(join(DOCS, 'residency.md'), 'utf8');
  const linked = [...list.matchAll(/\| \[(\w+)\]\(refusals\/(\w+)\.md\)/g)].map(([, code, page]) => `${code} ${page}`);
  expect(linked.sort()).toEqual(REFUSAL_CODES.map((code) => `${code} ${code}`).sort());
});

it.each(pages)('%s says what it means, which rule, what to do, and shows it', (page) => {
  const text = readFileSync(join(DOCS, 'refusals', page), 'utf8');
  expect(text).toMatch(new RegExp(`^# ${page.replace('.md', '')}\n`));
  for (const part of ['**Rule:**', '**What to do:**', '```console\n$ ', '](../residency.md#'])
    expect(text).toContain(part);
});
