import type { Store } from '../store/store.ts';

/** A part of the work is followed by a pause of so many times as long: it takes a third of the thread at most. */
const PAUSE_FACTOR = 2;

/** A pause is as long as this at least, so that what has come in meanwhile is served. */
const PAUSE_MS_MIN = 1;

/** When there is nothing to do, how long until the next look. */
const LOOK_MS = 1_000;

/**
 * Lets a store do what it does by the way, in parts with pauses between them, until the returned function is called.
 * `onLook` is called before each part, but at the most ten times a second.
 */
export function upkeepLoop(store: Pick<Store, 'upkeep'>, onLook: () => void = () => {}): () => void {
  let timer: NodeJS.Timeout | undefined;
  let lookedAt = -Infinity;

  function look(): void {
    const startedAt = performance.now();
    if (startedAt - lookedAt >= LOOK_MS / 10) {
      lookedAt = startedAt;
      onLook();
    }
    const worked = store.upkeep();
    const tookMs = performance.now() - startedAt;
    timer = setTimeout(look, worked ? Math.max(PAUSE_MS_MIN, tookMs * PAUSE_FACTOR) : LOOK_MS);
  }

  timer = setTimeout(look, LOOK_MS);
  return () => clearTimeout(timer);
}
