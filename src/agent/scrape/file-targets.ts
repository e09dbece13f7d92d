import { watch, type FSWatcher } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import Type from 'typebox';
import { Value } from 'typebox/value';
import { parseDocument } from 'yaml';
import { parseConfig } from '../../base/config.ts';
import { ComityError } from '../../base/errors.ts';
import type { TargetGroup } from './job.ts';

const GROUPS = Type.Array(
  Type.Object(
    {
      targets: Type.Optional(Type.Array(Type.String())),
      labels: Type.Optional(Type.Record(Type.String(), Type.String())),
    },
    { additionalProperties: false },
  ),
);

/** A file of targets is written by machines; ten thousand targets with twenty labels each take 10 MB. */
const FILE_BYTES = 16 * 1024 * 1024;

/** Several events tell of one change, and a file that is not replaced but written over is complete a little later. */
const SETTLE_MS = 100;

const FILEPATH = '__meta_filepath';

/** Targets in files (Prometheus's `file_sd_configs`), looked for again when something changes and now and then. */
export interface FileTargets {
  /** Reads the files again; resolves when `onGroups` has been told of what they say. */
  refresh(): Promise<void>;
  close(): void;
}

export interface FileTargetsOptions {
  /** Absolute paths; `*` and `?` count in the last part. */
  readonly patterns: readonly string[];
  readonly refreshMs: number;
  /** All groups of all files. */
  onGroups(groups: readonly TargetGroup[]): void;
  /** A file that cannot be read: what it said last still holds. A folder that cannot be watched: it is read now and then. */
  onProblem(path: string, error: Error): void;
}

/** Whether `file_sd_configs` takes such a name. */
export function isDiscoveryFile(path: string): boolean {
  return !dirname(path).includes('*') && /\.(?:json|yml|yaml)$/i.test(path);
}

export function watchFileTargets(options: FileTargetsOptions): FileTargets {
  const { patterns, refreshMs, onGroups, onProblem } = options;
  const watchers = new Map<string, FSWatcher>();
  let known = new Map<string, readonly TargetGroup[]>();
  let settling: NodeJS.Timeout | undefined;
  let running: Promise<void> = Promise.resolve();
  let closed = false;

  async function read(): Promise<void> {
    if (closed) return;
    // The watches come first, so that no change between the two is missed.
    for (const folder of new Set(patterns.map(dirname))) watchFolder(folder);
    const found = new Map<string, readonly TargetGroup[]>();
    for (const pattern of patterns) {
      for (const path of await matchingFiles(pattern)) {
        try {
          found.set(path, await readGroups(path));
        } catch (error) {
          onProblem(path, error as Error);
          const before = known.get(path);
          if (before !== undefined) found.set(path, before);
        }
      }
    }
    if (closed) return;
    known = found;
    onGroups([...found.values()].flat());
  }

  function refresh(): Promise<void> {
    // One after the other: what was read last must be what holds.
    running = running.then(read);
    return running;
  }

  function watchFolder(folder: string): void {
    if (watchers.has(folder)) return;
    try {
      const watcher = watch(folder, { persistent: false }, () => {
        settling ??= setTimeout(() => {
          settling = undefined;
          void refresh();
        }, SETTLE_MS).unref();
      });
      watcher.on('error', () => forget(folder));
      watchers.set(folder, watcher);
    } catch (error) {
      onProblem(folder, error as Error);
    }
  }

  function forget(folder: string): void {
    watchers.get(folder)?.close();
    watchers.delete(folder);
  }

  const timer = setInterval(() => {
    // A folder that was replaced takes its watch with it, without a word.
    for (const folder of watchers.keys()) forget(folder);
    void refresh();
  }, refreshMs);

  return {
    refresh,
    close() {
      closed = true;
      clearInterval(timer);
      clearTimeout(settling);
      for (const folder of watchers.keys()) forget(folder);
    },
  };
}

async function matchingFiles(pattern: string): Promise<string[]> {
  const name = basename(pattern);
  if (!/[*?]/.test(name)) return (await stat(pattern).catch(() => undefined))?.isFile() === true ? [pattern] : [];
  const expression = new RegExp(
    `^${name.replace(/[*?]|[^\w]/g, (char) => (char === '*' ? '[^/]*' : char === '?' ? '[^/]' : `\\${char}`))}$`,
    's',
  );
  const folder = dirname(pattern);
  const names = await readdir(folder).catch(() => []);
  return names
    .filter((one) => expression.test(one) && (!one.startsWith('.') || name.startsWith('.')))
    .sort()
    .map((one) => join(folder, one));
}

async function readGroups(path: string): Promise<TargetGroup[]> {
  const { size } = await stat(path);
  if (size > FILE_BYTES) throw new ComityError('bad_config', `${path}: more than ${FILE_BYTES} bytes`);
  const text = await readFile(path, 'utf8');
  const value = extname(path).toLowerCase() === '.json' ? parseJson(text, path) : parseYaml(text, path);
  if (!Value.Check(GROUPS, value)) {
    // The same check again for its words.
    parseConfig(JSON.stringify(value), GROUPS, path);
  }
  return (value as { targets?: string[]; labels?: Record<string, string> }[]).map(({ targets = [], labels = {} }) => ({
    targets,
    labels: { ...labels, [FILEPATH]: path },
  }));
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text) ?? [];
  } catch (error) {
    throw new ComityError('bad_config', `${path}: ${(error as Error).message}`);
  }
}

/** Every scalar is text: a label's value `1.0` must not become `1`. */
function parseYaml(text: string, path: string): unknown {
  const document = parseDocument(text, { schema: 'failsafe' });
  const [problem] = document.errors;
  if (problem !== undefined) throw new ComityError('bad_config', `${path}: ${problem.message}`);
  return document.toJS({ maxAliasCount: 100 }) || [];
}
