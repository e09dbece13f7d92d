import type { Logger } from 'pino';
import { messageOf } from '../base/errors.ts';
import { watchPath } from '../base/watch-path.ts';
import { keyIdOf, signersOf, type BundleKey } from '../policy/bundle.ts';
import { readShelf, type BundleShelf, type ShelvedBundle } from '../policy/bundle-shelf.ts';

/** Where a hub's bundles lie. It has no key that could sign one. */
export interface BundlesConfig {
  /** A file, or a folder of them. */
  readonly path: string;
  /** By which signatures are looked at, to warn of a bundle that agents will refuse. */
  readonly keys?: readonly BundleKey[] | undefined;
  /** What agents must show to get one; nothing when left out. */
  readonly token?: string | undefined;
}

/** The bundles that a hub serves. */
export interface HubBundles {
  /** As `BundleShelf.after`. */
  after(digest: string): ShelvedBundle | undefined;
  /** The one that should be in force everywhere, and since when this hub knows of it. */
  published(): Published | undefined;
  /** Resolves with the next change, or when `signal` says so. */
  changed(signal: AbortSignal): Promise<void>;
  close(): void;
}

export interface Published {
  readonly digest: string;
  readonly version: number;
  /** Milliseconds since the epoch. */
  readonly sinceMs: number;
  /** Whether it was there before the hub was, so that nobody knows since when. */
  readonly wasThere: boolean;
}

/** Serves what lies at a path, from one moment to the next what has come since. Throws `bad_config` when it cannot be read. */
export function openBundles({ path, keys }: BundlesConfig, log: Logger, now: () => number = Date.now): HubBundles {
  const told = new Map<string, string>();
  const waiting = new Set<() => void>();
  let shelf = read();
  let published = publishedBy(shelf, true);

  function read(): BundleShelf {
    return readShelf(path, (file, words) => {
      if (told.get(file) !== words) log.warn({ file, words }, 'a file holds no policy bundle');
      told.set(file, words);
    });
  }

  function publishedBy({ newest }: BundleShelf, wasThere: boolean): Published | undefined {
    if (newest === undefined) return undefined;
    const { digest, version } = newest.bundle;
    const signers = keys === undefined ? [] : signersOf(newest, keys).map(({ verifier }) => keyIdOf(verifier));
    log.info({ version, digest, ...(keys === undefined ? {} : { signers }) }, 'policy bundle published');
    if (keys !== undefined && signers.length === 0) {
      log.warn({ version, digest }, 'no configured key has signed the policy bundle: agents will refuse it');
    }
    return { digest, version, sinceMs: now(), wasThere };
  }

  const stop = watchPath(path, () => {
    try {
      shelf = read();
    } catch (error) {
      log.warn({ reason: messageOf(error) }, 'the policy bundles cannot be read: those that were there are served on');
      return;
    }
    if (shelf.newest?.bundle.digest !== published?.digest) published = publishedBy(shelf, false);
    for (const wake of waiting) wake();
  });

  return {
    after: (digest) => shelf.after(digest),
    published: () => published,
    changed: (signal) =>
      new Promise((resolve) => {
        const wake = (): void => {
          waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        waiting.add(wake);
        if (signal.aborted) wake();
        else signal.addEventListener('abort', wake);
      }),
    close() {
      stop();
      for (const wake of waiting) wake();
    },
  };
}
