import { posix } from 'node:path';
import { type ProjectFile, readSource, type SourceFile } from './source-file.ts';

/** The folders of src/ from the ground up: a file imports from its own floor and from those before it. */
export const FLOORS = [
  'base',
  'model',
  'wire',
  'promql',
  'partial',
  'engine',
  'plan',
  'store',
  'trace',
  'policy',
  'ledger',
  'border',
  'trust',
  'coverage',
  'api',
  'shard',
  'upstream',
  'promqltest',
  'slo',
  'agent',
  'hub',
  'federationtest',
  'cli',
] as const;

/** Floors that must not reach one another, over however many files, although their order would allow it. */
const APART: readonly (readonly [from: string, to: string, why: string])[] = [
  ['hub', 'agent', 'a hub and an agent meet on the wire only'],
  ['hub', 'store', 'raw data stays with the agents'],
  ['hub', 'shard', 'raw data stays with the agents'],
  ['hub', 'upstream', 'raw data stays with the agents'],
  ['hub', 'border', 'only an agent decides what leaves its domain'],
  ['hub', 'trace', 'raw spans stay with the agents'],
];

/** Files that only the named ones may import values from. */
const PRIVATE: readonly { readonly target: RegExp; readonly users: RegExp; readonly why: string }[] = [
  { target: /^better-sqlite3$/, users: /^src\/base\/sqlite\.ts$/, why: 'SQLite is opened in src/base/sqlite.ts alone' },
  { target: /^src\/base\/sqlite\.ts$/, users: /-db\.ts$/, why: 'SQL is written in files named *-db.ts alone' },
  { target: /^src\/store\/(?!store\.ts$)/, users: /^src\/store\//, why: 'src/store/store.ts is the store to others' },
];

/** What only the named files may import of a module whose other parts are everybody's. */
const PRIVATE_NAMES: readonly {
  readonly named: RegExp;
  readonly target: RegExp;
  readonly users: RegExp;
  readonly why: string;
}[] = [
  {
    named: /^seal$/,
    target: /^src\/border\/released\.ts$/,
    users: /^src\/border\/seal-recorded\.ts$/,
    why: 'only src/border/seal-recorded.ts seals, after it has recorded',
  },
  {
    named: /^seal\w+$/,
    target: /^src\/border\/seal-recorded\.ts$/,
    users: /^src\/border\//,
    why: 'only src/border/ decides what leaves',
  },
  {
    named: /^encode(\w*Answer|Released)$/,
    target: /^src\/plan\/frames\//,
    users: /^src\/(border|plan)\//,
    why: 'only src/border/ makes what leaves a domain',
  },
  {
    named: /^openReleased$/,
    target: /^src\/border\/released\.ts$/,
    users: /^src\/(agent\/answer|federationtest\/border-transport)\.ts$/,
    why: 'what is released is sent by src/agent/answer.ts alone',
  },
];

/** Longer files hide more than one concept. */
const LINES_MAX = 500;

const ABSENT_NAMES = /(^|[-.])(utils?|helpers?)\.m?[jt]s$/;

/** Text that would tie the project to one machine. */
const MACHINE_TEXT: readonly (readonly [text: RegExp, what: string])[] = [
  [/\/(?:home|Users)\/[\w.-]+\/|(?<![\w.])\/root\//, 'an absolute path of a home folder'],
  [
    /https?:\/\/(?!(?:www|docs)\.npmjs\.com)[\w.-]*(?:npm|registry|artifactory|nexus)[\w.-]*/i,
    'the host of a registry',
  ],
  [/"resolved": "https?:/, 'the host of a registry'],
];

/** Every breach of the rules, each as `path:line: what is wrong`. */
export function checkProject(files: readonly ProjectFile[]): string[] {
  const complaints = files.flatMap(checkText);
  const sources: SourceFile[] = [];
  for (const file of files) {
    if (!/^(src|test|scripts|bench)\/.*\.m?[jt]s$/.test(file.path)) continue;
    try {
      sources.push(readSource(file));
    } catch (error) {
      complaints.push(`${file.path}:1: does not parse: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  for (const source of sources) complaints.push(...checkSource(source), ...checkImports(source));
  return [...complaints, ...checkReach(sources)];
}

function checkText({ path, text }: ProjectFile): string[] {
  const complaints: string[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    for (const [pattern, what] of MACHINE_TEXT) {
      const found = pattern.exec(line)?.[0];
      if (found !== undefined) complaints.push(`${path}:${index + 1}: holds ${what}: ${found}`);
    }
  }
  return complaints;
}

function checkSource({ path, lines, defaultExports, isBarrel, casts }: SourceFile): string[] {
  const complaints: string[] = [];
  if (lines > LINES_MAX) complaints.push(`${path}:1: has ${lines} lines, more than ${LINES_MAX}; split it by concept`);
  if (ABSENT_NAMES.test(posix.basename(path))) complaints.push(`${path}:1: name it after the concept that it holds`);
  if (isBarrel || posix.basename(path) === 'index.ts') {
    complaints.push(`${path}:1: is a barrel; import from the file that declares`);
  }
  for (const line of defaultExports) complaints.push(`${path}:${line}: has a default export; export by name`);
  for (const { type, line } of casts) {
    if (path.startsWith('src/') && !path.startsWith('src/border/') && /\bReleased\b/.test(type)) {
      complaints.push(`${path}:${line}: casts to Released; only src/border/ makes one`);
    }
  }
  return complaints;
}

function checkImports({ path, imports }: SourceFile): string[] {
  const complaints: string[] = [];
  const floor = floorOf(path);
  if (floor === undefined) return complaints;
  if (!isFloor(floor)) return [`${path}:1: lies in no known folder of src/; add the folder to the floors`];
  for (const { target, line, typeOnly, names } of imports) {
    const below = floorOf(target);
    if (below !== undefined && rank(below) > rank(floor)) {
      complaints.push(`${path}:${line}: imports ${target}, and ${floor} lies below ${below}`);
    }
    for (const { target: secret, users, why } of PRIVATE) {
      if (!typeOnly && secret.test(target) && !users.test(path)) {
        complaints.push(`${path}:${line}: imports ${target}: ${why}`);
      }
    }
    for (const { named, target: from, users, why } of PRIVATE_NAMES) {
      const found =
        typeOnly || !from.test(target) || users.test(path) ? undefined : names.find((name) => named.test(name));
      if (found !== undefined) complaints.push(`${path}:${line}: imports ${found}: ${why}`);
    }
    if (/^(test|scripts|bench)\//.test(target)) {
      complaints.push(`${path}:${line}: imports ${target}, which is no part of the programs`);
    }
  }
  return complaints;
}

/** The pairs that must stay apart, looked for along every chain of imports; one complaint for each first step. */
function checkReach(sources: readonly SourceFile[]): string[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const complaints: string[] = [];
  for (const [from, to, why] of APART) {
    for (const source of sources) {
      if (floorOf(source.path) !== from) continue;
      for (const { target, line } of source.imports) {
        // Within its own floor the chain is another file's to answer for.
        if (floorOf(target) === from) continue;
        const chain = chainTo(to, target, byPath);
        if (chain !== undefined) complaints.push(`${source.path}:${line}: reaches ${chain.join(' -> ')}: ${why}`);
      }
    }
  }
  return complaints;
}

/** The shortest chain of imports from `start` to a file of the floor. */
function chainTo(floor: string, start: string, byPath: ReadonlyMap<string, SourceFile>): string[] | undefined {
  const chains = new Map([[start, [start]]]);
  for (const [path, chain] of chains) {
    if (floorOf(path) === floor) return chain;
    for (const { target } of byPath.get(path)?.imports ?? []) {
      if (!chains.has(target)) chains.set(target, [...chain, target]);
    }
  }
  return undefined;
}

function floorOf(path: string): string | undefined {
  return /^src\/([^/]+)/.exec(path)?.[1];
}

function isFloor(name: string): boolean {
  return rank(name) >= 0;
}

function rank(floor: string): number {
  return FLOORS.findIndex((one) => one === floor);
}
