import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkProject, FLOORS } from './tidy/rules.ts';
import type { ProjectFile } from './tidy/source-file.ts';

const ROOT = dirname(import.meta.dirname);

/** What is made, fetched or kept beside the project, as in .gitignore. */
const LEFT_OUT = new Set(['node_modules', '.git', '.cache', 'data']);

/** All text files of the project. */
function projectFiles(dir = ROOT): ProjectFile[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return dir === ROOT && LEFT_OUT.has(entry.name) ? [] : projectFiles(path);
    if (!entry.isFile() || entry.name.endsWith('.log')) return [];
    const bytes = readFileSync(path);
    if (bytes.includes(0)) return [];
    return [{ path: relative(ROOT, path).split(sep).join('/'), text: bytes.toString() }];
  });
}

test('the project keeps its rules', () => {
  const files = projectFiles();
  expect(files.map((file) => file.path)).toEqual(expect.arrayContaining(['package.json', 'src/base/errors.ts']));
  expect(checkProject(files)).toEqual([]);
});

/** Optional packages that the lock file leaves open; `npm ci` refuses to install from such a file. */
function openPackages(lock: Lock): string[] {
  return Object.entries(lock.packages).flatMap(([path, entry]) =>
    Object.keys(entry.optionalDependencies ?? {}).filter((name) => {
      const folders = path
        .split('/node_modules/')
        .map((_, index, parts) => parts.slice(0, index + 1).join('/node_modules/'));
      return !['', ...folders.map((folder) => `${folder}/`)].some(
        (base) => `${base}node_modules/${name}` in lock.packages,
      );
    }),
  );
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly optionalDependencies?: Readonly<Record<string, string>> }>>;
}

test.each<[string, Lock, string[]]>([
  ['this one', JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as Lock, []],
  ['one without a platform', { packages: { 'node_modules/a': { optionalDependencies: { 'a-mac': '1' } } } }, ['a-mac']],
  [
    'one with a nested package',
    {
      packages: { 'node_modules/a': { optionalDependencies: { b: '1' } }, 'node_modules/a/node_modules/b': {} },
    },
    [],
  ],
])('the lock file names the packages of all platforms: %s', (_, lock, want) => {
  expect(openPackages(lock)).toEqual(want);
});

/** A project of few files, by path. */
function check(files: Readonly<Record<string, string>>, want: readonly string[]): void {
  expect(checkProject(Object.entries(files).map(([path, text]) => ({ path, text })))).toEqual(want);
}

describe('what the rules let pass', () => {
  test.each<[string, Record<string, string>]>([
    [
      'imports from lower floors and the own one',
      {
        'src/hub/a.ts': "import { x } from './b.ts';\nimport { y } from '../base/y.ts';\nexport const a = x + y;",
        'src/hub/b.ts': 'export const x = 1;',
        'src/base/y.ts': 'export const y = 1;',
      },
    ],
    [
      'a type of the database outside the database files',
      {
        'src/store/store.ts': "import type { Durability } from '../base/sqlite.ts';\nexport let d: Durability;",
      },
    ],
    [
      'an inline type of the database',
      {
        'src/store/store.ts': "import { type Durability } from '../base/sqlite.ts';\nexport let d: Durability;",
      },
    ],
    ['a database file', { 'src/store/store-db.ts': "import { open } from '../base/sqlite.ts';\nopen();" }],
    [
      'an import in a comment or a string',
      {
        'src/base/a.ts': "// import { x } from '../hub/x.ts';\nexport const a = \"import('../hub/x.ts')\";",
      },
    ],
    ['exports beside a re-export', { 'src/base/a.ts': "export { b } from './b.ts';\nexport const a = 1;" }],
    ['a file of 500 lines', { 'src/base/a.ts': 'export {};\n' + '\n'.repeat(499) }],
    ['the border casting to what it makes', { 'src/border/released.ts': 'export const r = x as unknown as Released;' }],
    ['the web site of npm', { 'README.md': 'See https://docs.npmjs.com/cli and https://www.npmjs.com/package/x.' }],
  ])('%s', (_, files) => check(files, []));
});

describe('what the rules complain about', () => {
  test.each<[string, Record<string, string>, string[]]>([
    ...FLOORS.slice(1).map((floor, index): [string, Record<string, string>, string[]] => [
      `${FLOORS[index]} above ${floor}`,
      { [`src/${FLOORS[index]}/a.ts`]: `import { x } from '../${floor}/${floor}.ts';\nx();` },
      [`src/${FLOORS[index]}/a.ts:1: imports src/${floor}/${floor}.ts, and ${FLOORS[index]} lies below ${floor}`],
    ]),
    ...[
      "import type { x } from '../hub/x.ts';",
      "export type { x } from '../hub/x.ts';\nexport const y = 1;",
      "export * from '../hub/x.ts';\nexport const y = 1;",
      "export type X = import('../hub/x.ts').X;",
      "export const x = () => import('../hub/x.ts');",
      "export const x = new URL('../hub/x.ts', import.meta.url);",
      "import '../hub/x.ts';",
      "import x = y.z; import * as h from '../hub/x.ts';",
    ].map((text): [string, Record<string, string>, string[]] => [
      `a higher floor by ${text}`,
      { 'src/base/a.ts': text },
      ['src/base/a.ts:1: imports src/hub/x.ts, and base lies below hub'],
    ]),
    [
      'the agent importing the hub',
      { 'src/agent/a.ts': "\nimport { x } from '../hub/x.ts';\nx();" },
      ['src/agent/a.ts:2: imports src/hub/x.ts, and agent lies below hub'],
    ],
    [
      'the hub importing the agent',
      { 'src/hub/a.ts': "import type { X } from '../agent/x.ts';\nexport let x: X;" },
      ['src/hub/a.ts:1: reaches src/agent/x.ts: a hub and an agent meet on the wire only'],
    ],
    [
      'the hub importing the store',
      { 'src/hub/a.ts': "import { x } from '../store/store.ts';\nx();" },
      ['src/hub/a.ts:1: reaches src/store/store.ts: raw data stays with the agents'],
    ],
    [
      'the hub importing the border',
      { 'src/hub/api/a.ts': "import { x } from '../../border/release.ts';\nx();" },
      ['src/hub/api/a.ts:1: reaches src/border/release.ts: only an agent decides what leaves its domain'],
    ],
    [
      'the hub importing spans',
      { 'src/hub/a.ts': "import { x } from '../trace/spans.ts';\nx();" },
      ['src/hub/a.ts:1: reaches src/trace/spans.ts: raw spans stay with the agents'],
    ],
    [
      'the hub reaching the store over other floors',
      {
        'src/hub/a.ts': "import { x } from './b.ts';\nx();",
        'src/hub/b.ts': "import { x } from '../slo/x.ts';\nexport const y = x;",
        'src/slo/x.ts': "import { x } from '../coverage/x.ts';\nexport const y = x;",
        'src/coverage/x.ts': "import { x } from '../store/store.ts';\nexport const y = x;",
      },
      [
        'src/hub/b.ts:1: reaches src/slo/x.ts -> src/coverage/x.ts -> src/store/store.ts: raw data stays with the agents',
      ],
    ],
    [
      'a folder without a floor',
      { 'src/common/a.ts': 'export const a = 1;' },
      ['src/common/a.ts:1: lies in no known folder of src/; add the folder to the floors'],
    ],
    [
      'SQLite opened elsewhere',
      { 'src/store/store-db.ts': "import Database from 'better-sqlite3';\nnew Database();" },
      ['src/store/store-db.ts:1: imports better-sqlite3: SQLite is opened in src/base/sqlite.ts alone'],
    ],
    [
      'SQL outside the database files',
      { 'src/store/store.ts': "import { open } from '../base/sqlite.ts';\nopen();" },
      ['src/store/store.ts:1: imports src/base/sqlite.ts: SQL is written in files named *-db.ts alone'],
    ],
    [
      'the inside of the store',
      { 'src/agent/a.ts': "import { head } from '../store/head.ts';\nhead();" },
      ['src/agent/a.ts:1: imports src/store/head.ts: src/store/store.ts is the store to others'],
    ],
    [
      'a program that needs the tests',
      { 'src/cli/a.ts': "import { x } from '../../test/x.ts';\nx();" },
      ['src/cli/a.ts:1: imports test/x.ts, which is no part of the programs'],
    ],
    [
      'sealing outside the border',
      { 'src/agent/a.ts': "import { seal } from '../border/released.ts';\nseal();" },
      ['src/agent/a.ts:1: imports seal: only src/border/seal-recorded.ts seals, after it has recorded'],
    ],
    [
      'the border going round the ledger',
      { 'src/border/a.ts': "import { seal as make } from './released.ts';\nmake();" },
      ['src/border/a.ts:1: imports seal: only src/border/seal-recorded.ts seals, after it has recorded'],
    ],
    [
      'sealing what is recorded outside the border',
      { 'src/agent/a.ts': "import { sealRecorded } from '../border/seal-recorded.ts';\nsealRecorded();" },
      ['src/agent/a.ts:1: imports sealRecorded: only src/border/ decides what leaves'],
    ],
    [
      'an answer made outside the border',
      { 'src/agent/a.ts': "import { encodeQueryAnswer } from '../plan/frames/query-codec.ts';\nencodeQueryAnswer();" },
      ['src/agent/a.ts:1: imports encodeQueryAnswer: only src/border/ makes what leaves a domain'],
    ],
    [
      'another way out',
      { 'src/agent/a.ts': "import { openReleased } from '../border/released.ts';\nopenReleased();" },
      ['src/agent/a.ts:1: imports openReleased: what is released is sent by src/agent/answer.ts alone'],
    ],
    [
      'a cast to Released',
      { 'src/agent/a.ts': '\nexport const r = x as unknown as Released;' },
      ['src/agent/a.ts:2: casts to Released; only src/border/ makes one'],
    ],
    [
      'a cast to a list of Released',
      { 'src/hub/a.ts': 'export const r = x as readonly Released[];' },
      ['src/hub/a.ts:1: casts to Released; only src/border/ makes one'],
    ],
    [
      'a file of 501 lines',
      { 'scripts/a.ts': 'export {};\n' + '\n'.repeat(500) },
      ['scripts/a.ts:1: has 501 lines, more than 500; split it by concept'],
    ],
    ...['export default 1;', 'const a = 1;\nexport { a as default };'].map(
      (text): [string, Record<string, string>, string[]] => [
        `a default export by ${text}`,
        { 'test/a.ts': text },
        [`test/a.ts:${text.split('\n').length}: has a default export; export by name`],
      ],
    ),
    ...["export * from './b.ts';", "export { b } from './b.ts';", "import { b } from './b.ts';\nexport { b };"].map(
      (text): [string, Record<string, string>, string[]] => [
        `a barrel by ${text}`,
        { 'src/base/a.ts': text },
        ['src/base/a.ts:1: is a barrel; import from the file that declares'],
      ],
    ),
    [
      'an index file',
      { 'src/base/index.ts': 'export const a = 1;' },
      ['src/base/index.ts:1: is a barrel; import from the file that declares'],
    ],
    ...['utils.ts', 'util.mjs', 'string-utils.ts', 'test.helpers.ts', 'helper.ts'].map(
      (name): [string, Record<string, string>, string[]] => [
        `a file named ${name}`,
        { [`scripts/${name}`]: 'export const a = 1;' },
        [`scripts/${name}:1: name it after the concept that it holds`],
      ],
    ),
    // The texts below are put together here, since this file must keep the rules too.
    ...[
      ['/ho', 'me/alice/'],
      ['/Us', 'ers/alice/'],
      ['/ro', 'ot/'],
    ].map((parts): [string, Record<string, string>, string[]] => [
      `the path ${parts.join('')}`,
      { 'docs/a.md': `\nrun ${parts.join('')}bin` },
      [`docs/a.md:2: holds an absolute path of a home folder: ${parts.join('')}`],
    ]),
    [
      'a host of a registry',
      { '.npmrc': `registry=https://${'npm'}.example.org/x` },
      [`.npmrc:1: holds the host of a registry: https://${'npm'}.example.org`],
    ],
    [
      'a lock file with hosts',
      { 'package-lock.json': `{ "resolved"${': '}"https://example.org/a.tgz" }` },
      [`package-lock.json:1: holds the host of a registry: "resolved"${': '}"https:`],
    ],
  ])('%s', (_, files, want) => check(files, want));

  test('a file that does not parse', () => {
    const complaints = checkProject([{ path: 'src/base/a.ts', text: 'export const = ;' }]);
    expect(complaints).toEqual([expect.stringMatching(/^src\/base\/a\.ts:1: does not parse: /)]);
  });
});
