import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createHash } from 'node:crypto';
import { ComityError, messageOf } from '../base/errors.ts';
import { BUNDLE_BYTES, readBundle, type SealedBundle } from './bundle.ts';

/** A bundle as it lies in its file. */
export interface ShelvedBundle extends SealedBundle {
  readonly text: string;
  /** Of the whole text: another signature makes another one. */
  readonly etag: string;
}

/** The bundles of a file or a folder at one moment, nobody's signatures looked at. */
export interface BundleShelf {
  /** The one of the greatest version that is no candidate. */
  readonly newest: ShelvedBundle | undefined;
  /**
   * What to offer to whoever has the bundle of this digest (empty: none) in force: the one that follows it, so that a late
   * one goes through all of them, before a candidate that follows it; else the newest.
   */
  after(digest: string): ShelvedBundle | undefined;
}

/** Files of one folder that are looked at: the bundles of a year, one a day. */
const FILES_MAX = 400;

/**
 * Reads the bundles at a path: of a folder those in `*.json`, the latest names where there are too many. `onProblem` is told of
 * each file that holds none; throws `bad_config` when the path itself cannot be read.
 */
export function readShelf(path: string, onProblem: (file: string, words: string) => void): BundleShelf {
  const all: ShelvedBundle[] = [];
  for (const file of filesAt(path)) {
    try {
      if (statSync(file).size > BUNDLE_BYTES) throw new ComityError('bad_config', `more than ${BUNDLE_BYTES} bytes`);
      const text = readFileSync(file, 'utf8');
      all.push({ ...readBundle(text), text, etag: createHash('sha256').update(text).digest('hex') });
    } catch (error) {
      onProblem(basename(file), messageOf(error));
    }
  }
  all.sort((a, b) => b.bundle.version - a.bundle.version);
  const inForce = all.filter(({ bundle }) => !bundle.isCanary);
  const newest = inForce[0];
  return {
    newest,
    after(digest) {
      if (digest === '') return newest;
      const follows = ({ bundle }: ShelvedBundle): boolean => bundle.previous === digest;
      return inForce.find(follows) ?? all.find(follows) ?? newest;
    },
  };
}

function filesAt(path: string): readonly string[] {
  try {
    if (!statSync(path).isDirectory()) return [path];
    const names = readdirSync(path).filter((name) => name.endsWith('.json') && !name.startsWith('.'));
    return names
      .sort()
      .slice(-FILES_MAX)
      .map((name) => join(path, name));
  } catch (error) {
    throw new ComityError('bad_config', `cannot read the bundles at ${path}: ${messageOf(error)}`, { cause: error });
  }
}
