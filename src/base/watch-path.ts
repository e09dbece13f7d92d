import { watch, type FSWatcher } from 'node:fs';
import { dirname } from 'node:path';

/** Several events tell of one change, and a file that is written over is complete a little later. */
const SETTLE_MS = 100;

/** A watch can be lost without a word: when a folder is replaced, or on file systems that tell nothing. */
const LOOK_MS = 10_000;

/**
 * Calls `onChange` a moment after something has changed at a path, a file or a folder that may not be there yet, and now and
 * then in any case: it has to look for itself. The returned function ends that.
 */
export function watchPath(path: string, onChange: () => void, lookMs = LOOK_MS): () => void {
  let watchers: FSWatcher[] = [];
  let settling: NodeJS.Timeout | undefined;

  function start(): void {
    for (const watcher of watchers) watcher.close();
    watchers = [];
    // Of a file the folder is watched, since most editors put a new file in its place.
    for (const folder of new Set([path, dirname(path)])) {
      try {
        const watcher = watch(folder, { persistent: false }, settle);
        watcher.on('error', () => watcher.close());
        watchers.push(watcher);
      } catch {
        // It is looked at now and then.
      }
    }
  }

  function settle(): void {
    clearTimeout(settling);
    settling = setTimeout(onChange, SETTLE_MS).unref();
  }

  start();
  const timer = setInterval(() => {
    start();
    onChange();
  }, lookMs).unref();
  return () => {
    clearInterval(timer);
    clearTimeout(settling);
    for (const watcher of watchers) watcher.close();
  };
}
