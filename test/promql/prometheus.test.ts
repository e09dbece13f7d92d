import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ALL_FEATURES, NO_FEATURES, type PromqlFeatures } from '../../src/promql/features.ts';
import { formatExpr } from '../../src/promql/format.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { resolveDurations } from '../../src/promql/resolve-durations.ts';
import { findOracle, startOracle, type Oracle } from '../oracle/oracle.ts';
import { randomFrom } from '../random.ts';
import { FORMS } from './forms.ts';
import { durationText, expressionText } from './grammar-walk.ts';
import { prometheusTree, withoutSignatures } from './prometheus-tree.ts';
import { editedText } from './text-edits.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? 20_260_103);
/** Some hundreds take a second or two; thousands are for whoever changes the parser. */
const CASES = Number(process.env['COMITY_PARSE_CASES'] ?? 400);

/** What is refused here and taken there, by what the refusal says. */
const REFUSED_HERE: readonly (readonly [RegExp, string])[] = [
  [/timestamp out of bounds for @ modifier/, 'times past 2^53 ms are cut off there at some other time'],
  [/duration out of range/, 'offset NaN is whatever the processor makes of it there'],
];

const FEATURE_FLAGS =
  '--enable-feature=promql-experimental-functions,promql-extended-range-selectors,promql-binop-fill-modifiers';

interface Reply {
  readonly status: number;
  readonly text: string;
}

async function ask(oracle: Oracle, path: string, query: string): Promise<Reply> {
  const response = await fetch(`${oracle.url}/api/v1/${path}`, {
    method: 'POST',
    body: new URLSearchParams({ query }),
  });
  return { status: response.status, text: await response.text() };
}

/** What differs between Prometheus and this parser on a text, or undefined. */
async function difference(oracle: Oracle, query: string, features: PromqlFeatures): Promise<string | undefined> {
  let tree: unknown;
  let problem: string | undefined;
  try {
    tree = JSON.parse(JSON.stringify(prometheusTree(parseExpr(query, features), query)));
  } catch (error) {
    problem = String(error);
  }
  const reply = await ask(oracle, 'parse_query', query);
  if (reply.status === 400) return problem === undefined ? `taken here, refused there: ${reply.text}` : undefined;
  if (problem !== undefined) {
    return REFUSED_HERE.some(([pattern]) => pattern.test(problem))
      ? undefined
      : `taken there, refused here: ${problem}`;
  }
  // A tree with a NaN or an infinity to fill in cannot be said in JSON.
  if (reply.text.includes('unsupported value')) return undefined;
  const want = withoutSignatures((JSON.parse(reply.text) as { data: unknown }).data);
  if (!equal(tree, want)) return `another tree: ${JSON.stringify(tree)}\n  there: ${JSON.stringify(want)}`;
  return formatDifference(oracle, query, features);
}

/** Prometheus's own text is the one to give, but where it means something else or nothing at all. */
async function formatDifference(oracle: Oracle, query: string, features: PromqlFeatures): Promise<string | undefined> {
  const reply = await ask(oracle, 'format_query', query);
  const { data: want } = JSON.parse(reply.text) as { data: string };
  const formatted = formatExpr(query, features);
  const tree = prometheusTree(parseExpr(query, features), query);
  const again = prometheusTree(parseExpr(formatted, features), formatted);
  const isSame = equal(comparable(tree), comparable(again));
  if (!isSame) return `formatted as ${JSON.stringify(formatted)}, which means something else`;
  // Prometheus writes an offset that is none where less than a millisecond was asked for.
  if (formatted === want || / offset -?0s/.test(want)) return undefined;
  let there: unknown;
  try {
    there = prometheusTree(parseExpr(want, features), want);
  } catch {
    return undefined;
  }
  return equal(comparable(tree), comparable(there))
    ? `formatted as ${JSON.stringify(formatted)}\n  there as ${JSON.stringify(want)}`
    : undefined;
}

/** A tree without what formatting may change: the order of matchers, and parentheses that add nothing. */
function comparable(node: unknown): unknown {
  return withoutSignatures(loosened(node));
}

function loosened(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(loosened);
  if (typeof node !== 'object' || node === null) return node;
  if ('type' in node && node.type === 'parenExpr' && 'expr' in node) return loosened(node.expr);
  const entries = Object.entries(node).map(([key, value]) => {
    if (key === 'wrapped') return [key, false];
    if (key === 'matchers') return [key, (value as unknown[]).map(canonical).toSorted()];
    return [key, loosened(value)];
  });
  return Object.fromEntries(entries);
}

function equal(left: unknown, right: unknown): boolean {
  return canonical(left) === canonical(right);
}

function canonical(node: unknown): string {
  return JSON.stringify(node, (_, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).toSorted(([left], [right]) => (left < right ? -1 : 1)))
      : value,
  );
}

/** All differences on some texts; several requests are under way at once. */
async function differences(oracle: Oracle, texts: readonly string[], features: PromqlFeatures): Promise<string[]> {
  const found: string[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < texts.length; index = next++) {
      const text = texts[index] ?? '';
      const differs = await difference(oracle, text, features);
      if (differs !== undefined) found.push(`${JSON.stringify(text)}\n  ${differs}`);
    }
  };
  await Promise.all(Array.from({ length: 6 }, worker));
  return found;
}

/** The expressions of the scripts in a folder that tests of PromQL are kept in. */
function scriptExpressions(folder: string): string[] {
  const files = readdirSync(folder).filter((name) => name.endsWith('.test'));
  const line = /^\s*eval(?:_\w+)?\s+(?:instant\s+at\s+\S+|range\s+from\s+\S+\s+to\s+\S+\s+step\s+\S+)\s+(.*)$/;
  return files.flatMap((name) =>
    readFileSync(join(folder, name), 'utf8')
      .split('\n')
      .flatMap((text) => line.exec(text)?.[1] ?? []),
  );
}

const program = await findOracle();
const SCRIPTS = process.env['COMITY_PROMQLTEST'] ?? join(import.meta.dirname, '../../../shared/promqltest');

describe.skipIf(program === undefined)(`as Prometheus parses, seed ${SEED}`, () => {
  let oracle: Oracle;
  let plain: Oracle;

  beforeAll(async () => {
    oracle = await startOracle({ args: [FEATURE_FLAGS] });
    plain = await startOracle();
  }, 120_000);

  afterAll(async () => {
    await oracle?.close();
    await plain?.close();
  });

  const random = randomFrom(SEED);
  const written = Array.from({ length: CASES }, (_, index) => expressionText(random.fork(index)));
  const edited = written.map((text, index) => editedText(text, random.fork(index + 0x1_0000)));

  test('expressions of the whole grammar', { timeout: 600_000 }, async () => {
    const taken = written.filter((text) => isTaken(text, ALL_FEATURES)).length;
    expect(taken).toBeGreaterThan(CASES / 2);
    expect(await differences(oracle, written, ALL_FEATURES)).toEqual([]);
  });

  test('edited expressions', { timeout: 600_000 }, async () => {
    expect(await differences(oracle, edited, ALL_FEATURES)).toEqual([]);
  });

  test('without features', { timeout: 600_000 }, async () => {
    expect(await differences(plain, written, NO_FEATURES)).toEqual([]);
  });

  test('forms of their own', { timeout: 60_000 }, async () => {
    expect(await differences(oracle, FORMS, ALL_FEATURES)).toEqual([]);
    expect(await differences(plain, FORMS, NO_FEATURES)).toEqual([]);
  });

  test('computed durations', { timeout: 600_000 }, async () => {
    const texts = Array.from({ length: CASES / 4 }, (_, index) => durationText(random.fork(index + 0x2_0000), 3));
    const compared = { values: 0, errors: 0 };
    for (const text of texts) compared[await compareOffset(oracle, text)]++;
    expect(compared.values).toBeGreaterThan(CASES / 20);
    expect(compared.errors).toBeGreaterThan(CASES / 100);
  });

  test.skipIf(!existsSync(SCRIPTS))('the expressions of test scripts', { timeout: 600_000 }, async () => {
    const texts = scriptExpressions(SCRIPTS);
    expect(texts.length).toBeGreaterThan(100);
    expect(await differences(oracle, texts, ALL_FEATURES)).toEqual([]);
    expect(await differences(plain, texts, NO_FEATURES)).toEqual([]);
  });
});

/** Of a query of three steps: long enough ago for any offset that is compared. */
const START_MS = 1_000_000_000_000;
const STEP_MS = 7_001;

/**
 * Compares what an offset comes to. The latest point of a subquery by milliseconds tells it: its value is its time. Returns
 * what there was to compare; offsets too large for a time in milliseconds as a float are left out.
 */
async function compareOffset(oracle: Oracle, duration: string): Promise<'values' | 'errors'> {
  const query = `max_over_time(vector(time())[5ms:1ms] offset (${duration}))`;
  const times = { start: START_MS, end: START_MS + 2 * STEP_MS, step: STEP_MS };
  const seconds = Object.entries(times).map(([name, ms]) => [name, String(ms / 1000)] as [string, string]);
  const url = `${oracle.url}/api/v1/query_range?${new URLSearchParams([['query', query], ...seconds]).toString()}`;
  const reply = (await (await fetch(url)).json()) as {
    error?: string;
    data?: { result: { values: [number, string][] }[] };
  };
  let offsetMs: number | undefined;
  let problem = '';
  try {
    const tree = resolveDurations(parseExpr(query, ALL_FEATURES), { stepMs: STEP_MS, rangeMs: 2 * STEP_MS }, query);
    offsetMs = tree.kind === 'call' && tree.args[0]?.kind === 'subquery' ? tree.args[0].offsetMs : undefined;
  } catch (error) {
    problem = String(error);
  }
  const value = reply.data?.result[0]?.values[0]?.[1];
  if (offsetMs === undefined || reply.error !== undefined) {
    const want = reply.error?.replace(/^.*?\d+:\d+: (?:parse error: )?/, '') ?? `a value of ${value}`;
    // What is no number or no expression is worded in its own way.
    expect(problem, query).toContain(/^(?:duration|division|modulo|a value)/.test(want) ? want : 'parse error');
    return 'errors';
  }
  if (Math.abs(offsetMs) < 1e12) {
    expect(Math.round(START_MS - Number(value) * 1000), query).toBe(offsetMs);
  }
  return 'values';
}

function isTaken(text: string, features: PromqlFeatures): boolean {
  try {
    parseExpr(text, features);
    return true;
  } catch {
    return false;
  }
}
