import type { FuzzTarget } from './target.ts';

/** The formats of scrapes. */
export function expositionTargets(): FuzzTarget[] {
  return [];
}
