import { registerHooks, stripTypeScriptTypes } from 'node:module';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { applyEdit, type Edit } from '../../src/federationtest/plant-edits.ts';

/*
 * The product's modules once more, with some of their texts changed as they are loaded. One process has as many such graphs of
 * modules as it likes, beside the one that its own imports are from.
 */

const ROOT = new URL('../../', import.meta.url);
const SRC = new URL('src/', ROOT).href;
const MARK = /\?graph=(\d+)$/;

/** JavaScript of the files under `src/`, which all graphs share but for what is changed. */
const scripts = new Map<string, string>();
/** By graph, the changed texts by address. */
const graphs: ReadonlyMap<string, string>[] = [];
let isHooked = false;

/** Imports a module under `src/` from a new graph. */
export function openGraph(name: string, edits: readonly Edit[]): (path: string) => Promise<unknown> {
  hook();
  const changed = new Map<string, string>();
  for (const edit of edits) {
    const url = new URL(edit.file, ROOT).href;
    changed.set(url, applyEdit(name, changed.get(url) ?? readFileSync(fileURLToPath(url), 'utf8'), edit));
  }
  const mark = `?graph=${graphs.length}`;
  graphs.push(changed);
  return (path) => import(`${new URL(path, ROOT).href}${mark}`);
}

function hook(): void {
  if (isHooked) return;
  isHooked = true;
  registerHooks({
    resolve(specifier, context, nextResolve) {
      const resolved = nextResolve(specifier, context);
      const mark = MARK.exec(context.parentURL ?? '')?.[0];
      if (mark === undefined || !resolved.url.startsWith(SRC)) return resolved;
      return { ...resolved, url: resolved.url + mark };
    },
    load(url, context, nextLoad) {
      const graph = MARK.exec(url)?.[1];
      if (graph === undefined) return nextLoad(url, context);
      const file = url.replace(MARK, '');
      const edited = graphs[Number(graph)]!.get(file);
      return { format: 'module', source: edited === undefined ? scriptOf(file) : stripped(edited), shortCircuit: true };
    },
  });
}

function scriptOf(file: string): string {
  let script = scripts.get(file);
  if (script === undefined) scripts.set(file, (script = stripped(readFileSync(fileURLToPath(file), 'utf8'))));
  return script;
}

function stripped(source: string): string {
  return stripTypeScriptTypes(source);
}
