import { labelsRecord } from '../../src/model/labels.ts';
import type { Fragment } from '../../src/plan/distribute.ts';
import { encodeFragment } from '../../src/plan/frames/fragment-codec.ts';
import type { FragmentAnswer } from '../../src/plan/frames/query-codec.ts';
import { children, type Expr } from '../../src/promql/ast.ts';
import { ALL_FEATURES } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { randomFrom, type Random } from '../random.ts';
import type { OpenArena } from './domain.ts';
import { hostileGrid, hostileQuery } from './generator.ts';
import { Denied, errorCode, fragmentOf } from './hostile-hub.ts';
import { count, leaked, type Notice, type Tally } from './try-entries.ts';
import { field, rawQuery } from './wire.ts';

/** Fragments in a request. */
const TOGETHER = 16;

/** Labels that rows may carry by the policy of the worlds, written down once more by hand. */
const MAY_LEAVE: ReadonlySet<string> = new Set([
  '__name__',
  'le',
  'quantile',
  'job',
  'domain',
  'service',
  'pod',
  'route',
  'span_name',
  'span_kind',
  'status_code',
  'http_request_method',
  'error_type',
  'rpc_service',
]);

/** What came of the generated cases. */
export interface Generated {
  /** Fragments. */
  readonly sent: number;
  /** Rows that were let out. */
  readonly rows: number;
  readonly notices: readonly Notice[];
}

/**
 * Asks two domains the same, which differ in nothing but canaries: what leaves holds none of them, carries no label that may
 * not leave, and is the same for both, so that it hangs on none of them either. Every tenth request is broken in some way.
 */
export async function runGenerated(
  arena: OpenArena,
  twin: OpenArena,
  { cases, seed }: { readonly cases: number; readonly seed: number },
  tally: Tally,
  progress: (done: number) => void = () => undefined,
): Promise<Generated> {
  const notices: Notice[] = [];
  let [sent, rows] = [0, 0];
  const notice = (what: string, said: string): void => {
    notices.push({ entry: `generated, seed ${seed}`, attempt: what, said });
  };
  for (let request = 0; sent < cases; request++) {
    const random = randomFrom(seed).fork(request);
    const asked = draw(random, arena, Math.min(TOGETHER, cases - sent));
    sent += asked.length;
    if (random.chance(0.1)) {
      const said = await sendBroken(
        random,
        asked.map(({ fragment }) => fragment),
        arena,
        tally,
      );
      if (said !== undefined) notice(asked.map(({ text }) => text).join(' ; '), said);
      continue;
    }
    const answers = await ask(arena, asked);
    const leak = leaked(arena);
    const others = await ask(
      twin,
      asked.map(({ text, fragment: { grid } }) => ({ text, fragment: read(text, grid, twin)! })),
    );
    const otherLeak = leaked(twin);
    if (leak !== undefined || otherLeak !== undefined) {
      for (const one of asked) {
        await ask(arena, [one]);
        const own = leaked(arena);
        if (own !== undefined) notice(`${one.text} at ${JSON.stringify(one.fragment.grid)}`, own);
      }
      notice('one of sixteen', (leak ?? otherLeak)!);
    }
    for (const [i, { text, fragment }] of asked.entries()) {
      const answer = answers[i]!;
      count(tally, answer instanceof Denied ? answer.message : 'refusal' in answer ? answer.refusal.code : 'answered');
      if (!(answer instanceof Denied) && 'rows' in answer) rows += answer.rows.length;
      const said = faultIn(answer, others[i]!, text, arena.fill(text));
      if (said !== undefined) notice(`${text} at ${JSON.stringify(fragment.grid)}`, said);
    }
    progress(sent);
  }
  return { sent, rows, notices };
}

interface Asked {
  readonly text: string;
  readonly fragment: Fragment;
}

function draw(random: Random, arena: OpenArena, many: number): readonly Asked[] {
  const asked: Asked[] = [];
  while (asked.length < many) {
    const text = hostileQuery(random);
    const fragment = read(text, hostileGrid(random, arena.endMs), arena);
    // The generator does not know every rule of the language.
    if (fragment !== undefined) asked.push({ text, fragment });
  }
  return asked;
}

function read(text: string, grid: Fragment['grid'], arena: OpenArena): Fragment | undefined {
  try {
    const fragment = fragmentOf(arena.fill(text), grid as Parameters<typeof fragmentOf>[1]);
    encodeFragment(fragment);
    return fragment;
  } catch {
    return undefined;
  }
}

/** The answers, or for each fragment why the request it was in was not answered: then they are asked one by one. */
async function ask(arena: OpenArena, asked: readonly Asked[]): Promise<readonly (FragmentAnswer | Denied)[]> {
  try {
    return await arena.hub.ask(asked.map(({ fragment }) => fragment));
  } catch (error) {
    if (!(error instanceof Denied)) throw error;
    if (asked.length === 1) return [error];
  }
  const answers: (FragmentAnswer | Denied)[] = [];
  for (const one of asked) answers.push(...(await ask(arena, [one])));
  return answers;
}

function faultIn(
  answer: FragmentAnswer | Denied,
  other: FragmentAnswer | Denied,
  text: string,
  filled: string,
): string | undefined {
  if (answer instanceof Denied || other instanceof Denied) {
    const [here, there] = [saidOf(answer), saidOf(other)];
    return here === there || isOfNumbers(text) ? undefined : `${here} here, ${there} there`;
  }
  if ('rows' in answer) {
    for (const { labels } of answer.rows) {
      const name = Object.keys(labelsRecord(labels)).find((one) => !MAY_LEAVE.has(one));
      if (name !== undefined) return `it shows the label ${name}`;
    }
    const named = restrictedIn(parseExpr(filled.replace(/^(?:partial|timed|sketch [0-9.]+) /, ''), ALL_FEATURES));
    if (named !== undefined) return `it is answered, and hangs on ${named}`;
  }
  if (isOfNumbers(text)) return undefined;
  const [here, there] = [comparable(answer), comparable(other)];
  return here === there
    ? undefined
    : `it hangs on what may not leave: ${here.slice(0, 300)} here, ${there.slice(0, 300)} there`;
}

/** What of a query can hang on nothing that may leave: the rule once more, and as short as it can be said. */
function restrictedIn(expr: Expr): string | undefined {
  const below = children(expr).map(restrictedIn);
  return [...below, ...ownNames(expr).filter((name) => !MAY_LEAVE.has(name))].find((name) => name !== undefined);
}

function ownNames(expr: Expr): readonly string[] {
  switch (expr.kind) {
    case 'vector':
      return expr.matchers.map(({ name, op, value }) =>
        name === '__name__' && op === '=' && /^(?:secret|card)_/.test(value) ? value : name,
      );
    case 'aggregate':
      return expr.without ? [] : expr.grouping;
    case 'binary':
      return [...(expr.matching?.on === true ? expr.matching.labels : []), ...(expr.matching?.include ?? [])];
    case 'call': {
      if (expr.func === 'info') return ['what info() copies'];
      const isOfLabels = /^(?:label_|sort_by_label)/.test(expr.func);
      const names = expr.args.map((arg) => (arg.kind === 'string' ? arg.value : ''));
      return isOfLabels ? names.filter((name) => /^[a-z_.]+$/.test(name) && name !== '') : [];
    }
    default:
      return [];
  }
}

function saidOf(answer: FragmentAnswer | Denied): string {
  return answer instanceof Denied ? answer.message : 'it was answered';
}

/** Numbers of these metrics differ between the domains, and may leave together with others. */
function isOfNumbers(text: string): boolean {
  return /guarded|broken|salary|__name__|\$number|job="shop"/.test(text);
}

/** An answer in a form that two can be compared in, whatever order sums were made in. */
function comparable(answer: FragmentAnswer): string {
  if ('refusal' in answer) return JSON.stringify(answer.refusal);
  const notes = answer.notes.map(({ code, args, detail }) => JSON.stringify([code, args, detail])).sort();
  const rows = answer.rows
    .map(({ labels, columns: { present, fields, sketches } }) => {
      const numbers = fields.map((one) => [...one].map((value) => Number(value.toPrecision(9))));
      return JSON.stringify([labels, [...present], numbers, sketches && [[...sketches.keys], [...sketches.counts]]]);
    })
    .sort();
  return JSON.stringify([rows, notes]);
}

/** A request with something wrong: it is not answered, or its fragments are not, or it was right after all. */
async function sendBroken(
  random: Random,
  fragments: readonly Fragment[],
  arena: OpenArena,
  tally: Tally,
): Promise<string | undefined> {
  const bytes = fragments.map(encodeFragment);
  const request = random.weighted<() => Buffer>([
    [1, () => rawQuery(bytes, { version: random.pick([0, 1, 4, 6, 99, 4_294_967_295]) })],
    [1, () => rawQuery(bytes, { id: Buffer.alloc(random.pick([0, 1, 7, 9, 64])) })],
    [1, () => rawQuery(bytes, { features: [random.pick(['', 'no-such-feature', 'promql-delayed-name-removal'])] })],
    [
      1,
      () =>
        rawQuery(bytes, {
          lookbackMs: random.pick([0, -1, 2 ** 53 - 1, 1]),
          timeLeftMs: random.pick([0, -1, 2 ** 52, 10_000]),
        }),
    ],
    [
      2,
      () =>
        Buffer.concat([rawQuery(bytes), field(random.int(8, 40), random.pick<number | string>([1, 'min_series=1']))]),
    ],
    [2, () => rawQuery(bytes.map((one) => Buffer.concat([one, field(random.int(5, 40), random.int(0, 1_000))])))],
    [4, () => mutated(random, rawQuery(bytes))],
    [2, () => rawQuery(bytes.map((one) => mutated(random, Buffer.from(one))))],
  ])();
  const path = random.pick([
    'query',
    'query',
    'query',
    'explain',
    'labels',
    'series',
    'metadata',
    'exemplars',
    'status',
    'ledger',
  ]);
  const reply = await arena.hub.send(`/federation/v1/${path}`, request);
  count(tally, reply.status === 200 ? 'broken, and yet readable' : `broken: ${reply.status} ${errorCode(reply)}`);
  if (![200, 400, 413, 422, 503].includes(reply.status)) return `it was answered ${reply.status} ${errorCode(reply)}`;
  return leaked(arena);
}

/** Some bytes changed, left out or doubled. */
function mutated(random: Random, bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  if (copy.length === 0) return copy;
  for (let i = random.int(1, 3); i > 0; i--) copy[random.int(0, copy.length - 1)] = random.int(0, 255);
  if (random.chance(0.7)) return copy;
  const [from, to] = [random.int(0, copy.length), random.int(0, copy.length)];
  return random.chance(0.5) ? copy.subarray(0, to) : Buffer.concat([copy.subarray(0, to), copy.subarray(from)]);
}
