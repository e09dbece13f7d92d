import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';

/** One text in one source file and what stands there instead once the fault is planted. */
export interface Edit {
  /** Below the root of the repository. */
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

export interface Planted {
  readonly name: string;
  /** Throws when a changed file was never loaded: then the fault is not what was tested. */
  assertLoaded(): void;
}

const ROOT = new URL('../../', import.meta.url);

/**
 * Changes source texts as this process loads them, so that production code holds no switch for it. Must be called
 * before anything under `src/` is loaded. Throws when a text to change is not in its file exactly once.
 */
export function plantEdits(name: string, edits: readonly Edit[]): Planted {
  const changed = new Map<string, string>();
  for (const edit of edits) {
    const url = new URL(edit.file, ROOT).href;
    const source = changed.get(url) ?? readSource(name, url);
    changed.set(url, applyEdit(name, source, edit));
  }
  const unloaded = new Set(changed.keys());
  registerHooks({
    load(url, context, nextLoad) {
      const source = changed.get(url);
      if (source === undefined) return nextLoad(url, context);
      unloaded.delete(url);
      return { format: 'module-typescript', source, shortCircuit: true };
    },
  });
  return {
    name,
    assertLoaded() {
      if (unloaded.size > 0) throw new Error(`fault ${name} was not tested: never loaded ${[...unloaded].join(', ')}`);
    },
  };
}

/** The source with the edit made. Throws unless the text to find is there exactly once. */
export function applyEdit(name: string, source: string, { file, find, replace }: Edit): string {
  const found = source.split(find).length - 1;
  if (found !== 1) {
    throw new Error(`fault ${name} no longer applies: ${file} holds ${JSON.stringify(find)} ${found} times, not once`);
  }
  return source.replace(find, () => replace);
}

function readSource(name: string, url: string): string {
  try {
    return readFileSync(fileURLToPath(url), 'utf8');
  } catch (error) {
    throw new Error(`fault ${name} no longer applies: cannot read ${url}`, { cause: error });
  }
}
