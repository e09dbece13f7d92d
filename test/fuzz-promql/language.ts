import pLimit from 'p-limit';
import type { Type } from './grammar.ts';

/** A function as the oracle's parser knows it. */
export interface Signature {
  readonly args: readonly Type[];
  /** 0: exactly these; n > 0: the last may be missing or come up to n times; -1: any number of times. */
  readonly variadic: number;
  readonly returns: Type;
}

/** The language of one oracle, told by itself. */
export interface Language {
  readonly functions: ReadonlyMap<string, Signature>;
  /** The type of the parameter in front of the vector, by the aggregation's name. */
  readonly aggregations: ReadonlyMap<string, Type | undefined>;
  /** Operators between vectors. */
  readonly operators: readonly string[];
  /** Modifiers that are enabled: names of the oracle's own list. */
  readonly modifiers: ReadonlySet<string>;
  /** What the oracle lists that is neither operator nor aggregation: `=~`, `!~`, `@`. */
  readonly marks: readonly string[];
}

/** Entries of the oracle's list that say how the server works, and are nothing that a query holds. */
const NOT_IN_QUERIES: ReadonlySet<string> = new Set([
  'delayed_name_removal',
  'per_query_lookback_delta',
  'per_step_stats',
  'type_and_unit_labels',
]);

const SAMPLES: readonly (readonly [Type, string])[] = [
  ['vector', 'x'],
  ['matrix', 'x[5m]'],
  ['scalar', '1'],
  ['string', '"text"'],
];

/** Asks a running oracle what its language has: its list of features, and its parser about each name in it. */
export async function learnLanguage(url: string): Promise<Language> {
  const listed = (await get(url, '/api/v1/features')) as Readonly<Record<string, Readonly<Record<string, boolean>>>>;
  const enabled = (section: string): string[] =>
    Object.entries(listed[section] ?? {})
      .filter(([, on]) => on)
      .map(([name]) => name);
  const limit = pLimit(8);
  const functions = new Map(
    await limit.map(enabled('promql_functions'), async (name) => [name, await signatureOf(url, name)] as const),
  );
  const aggregations = new Map<string, Type | undefined>();
  const operators: string[] = [];
  const marks: string[] = [];
  for (const name of enabled('promql_operators')) {
    const param = await aggregationOf(url, name);
    if (param !== undefined) aggregations.set(name, param === 'none' ? undefined : param);
    else if ((await parsed(url, `x ${name} x`))?.['type'] === 'binaryExpr') operators.push(name);
    else if ((await parsed(url, `x ${name} 1`))?.['type'] === 'binaryExpr') operators.push(name);
    else marks.push(name);
  }
  const modifiers = new Set(enabled('promql').filter((name) => !NOT_IN_QUERIES.has(name)));
  return { functions, aggregations, operators, modifiers, marks };
}

async function signatureOf(url: string, name: string): Promise<Signature> {
  const told = (await get(url, `/api/v1/parse_query?query=${encodeURIComponent(`${name}()`)}`, true)) as
    | string
    | object;
  const least = typeof told === 'string' ? Number(/expected (?:at least )?(\d+) argument/.exec(told)?.[1] ?? 0) : 0;
  for (const args of combinations(least)) {
    const tree = await parsed(url, `${name}(${args.map(([, text]) => text).join(', ')})`);
    if (tree?.['type'] !== 'call') continue;
    const { argTypes, variadic, returnType } = tree['func'] as {
      argTypes: Type[];
      variadic: number;
      returnType: Type;
    };
    return { args: argTypes, variadic, returns: returnType };
  }
  throw new Error(`the oracle lists the function ${name}, and takes no arguments of it that were tried`);
}

/** All sequences of sample arguments of a length; where types repeat, the last ones do, and they come first. */
function* combinations(length: number): Generator<(readonly [Type, string])[]> {
  if (length === 0) {
    yield [];
    return;
  }
  for (const sample of SAMPLES) {
    for (const rest of combinations(length - 1)) {
      if (rest.length > 1 && rest.some(([type]) => type !== rest[0]![0])) continue;
      yield [sample, ...rest];
    }
  }
  for (const sample of SAMPLES) {
    for (const rest of combinations(length - 1)) {
      if (rest.length > 1 && rest.some(([type]) => type !== rest[0]![0])) yield [sample, ...rest];
    }
  }
}

async function aggregationOf(url: string, name: string): Promise<Type | 'none' | undefined> {
  const forms: readonly (readonly [Type | 'none', string])[] = [
    ['none', `${name}(x)`],
    ['scalar', `${name}(0.5, x)`],
    ['string', `${name}("text", x)`],
  ];
  for (const [param, text] of forms) if ((await parsed(url, text))?.['type'] === 'aggregation') return param;
  return undefined;
}

async function parsed(url: string, query: string): Promise<Readonly<Record<string, unknown>> | undefined> {
  return (await get(url, `/api/v1/parse_query?query=${encodeURIComponent(query)}`)) as
    | Readonly<Record<string, unknown>>
    | undefined;
}

/** The `data` of an answer; of an error undefined or, where it is asked for, the text. */
async function get(url: string, path: string, orError = false): Promise<unknown> {
  const response = await fetch(url + path);
  const body = (await response.json()) as { data?: unknown; error?: string };
  if (response.ok) return body.data;
  return orError ? body.error : undefined;
}
