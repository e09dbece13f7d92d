import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Static, TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { parseDocument } from 'yaml';
import { ComityError } from './errors.ts';

/** Reads a YAML file against a closed schema. Throws `bad_config` that names the file and the field at fault. */
export function readConfigFile<T extends TSchema>(path: string, schema: T): Static<T> {
  return parseConfig(readText(path), schema, path);
}

/** The text of a file that configuration names. Throws `bad_config`. */
export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new ComityError('bad_config', `cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** The same for text at hand; `source` names it in errors. Fields with defaults are filled in. */
export function parseConfig<T extends TSchema>(text: string, schema: T, source: string): Static<T> {
  const document = parseDocument(text);
  const [problem] = document.errors;
  if (problem !== undefined) throw new ComityError('bad_config', `${source}: ${problem.message}`);
  const value = Value.Default(schema, document.toJS({ maxAliasCount: 100 }) ?? {});
  if (Value.Check(schema, value)) return value;
  const problems = Value.Errors(schema, value)
    .filter((error) => error.keyword !== 'additionalProperties')
    .slice(0, PROBLEMS_SHOWN)
    .map((error) => describe(error, schema));
  throw new ComityError('bad_config', `${source}: ${problems.join('; ')}`);
}

/** A misspelt field is two mistakes, a missing and an unknown one: it helps to see both. */
const PROBLEMS_SHOWN = 4;

function describe({ instancePath, message }: { instancePath: string; message: string }, schema: TSchema): string {
  const field = instancePath === '' ? 'the document' : instancePath;
  // A closed schema is told of as one that no value can satisfy.
  if (message !== 'schema is false') return `${field} ${message}`;
  const nearest = nearestField(instancePath, schema);
  return `${field} is not a known field${nearest === undefined ? '' : ` (did you mean ${nearest}?)`}`;
}

/** The known field beside an unknown one whose name is a letter or two away; undefined where none is. */
function nearestField(instancePath: string, schema: TSchema): string | undefined {
  const path = instancePath.split('/').slice(1);
  const unknown = path.pop() ?? '';
  let parent: SchemaPart | undefined = schema;
  for (const step of path) parent = parent?.properties?.[step] ?? parent?.items;
  const known = Object.keys(parent?.properties ?? {}).map((name) => ({ name, far: editsBetween(unknown, name) }));
  const [best] = known.sort((a, b) => a.far - b.far);
  return best !== undefined && best.far <= Math.max(1, Math.floor(unknown.length / 3)) ? best.name : undefined;
}

interface SchemaPart {
  readonly properties?: Readonly<Record<string, SchemaPart>>;
  readonly items?: SchemaPart;
}

/** How many letters are to be added, removed or replaced (Levenshtein); Infinity for names that are far longer. */
function editsBetween(a: string, b: string): number {
  if (a.length > b.length * 2) return Infinity;
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}

/** A path in a configuration file, taken from the folder of that file. */
export function resolveBeside(configPath: string, path: string): string {
  return resolve(dirname(configPath), path);
}

/**
 * A secret given in place or by the name of a file, whose surrounding white space does not count. `field` says in errors
 * which part of the file it stands in.
 */
export function readSecret(
  config: { token?: string; token_file?: string },
  configPath: string,
  field?: string,
): string {
  const secret =
    config.token ??
    (config.token_file === undefined ? '' : readText(resolveBeside(configPath, config.token_file)).trim());
  if (secret.length < 16) {
    throw new ComityError(
      'bad_config',
      `${configPath}: ${field === undefined ? '' : `${field}: `}token or token_file must give a secret of at least 16 characters`,
    );
  }
  return secret;
}

/** `host:port`, with IPv6 hosts in brackets. */
export function parseListen(address: string): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(address);
  const port = Number(match?.[3]);
  if (match === null || port > 65_535) {
    throw new ComityError(
      'bad_config',
      `"${address}" is no listen address: write host:port, for example 127.0.0.1:9090`,
    );
  }
  return { host: match[1] ?? match[2]!, port };
}
