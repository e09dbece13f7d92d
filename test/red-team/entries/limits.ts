import { rangeGrid } from '../../../src/model/grid.ts';
import { verifierOf } from '../../../src/base/note-key.ts';
import { decodeReleased } from '../../../src/plan/frames/receipt-codec.ts';
import { verifyReceipt } from '../../../src/ledger/receipt.ts';
import { attempt, harmless, refusedAfter, shownBy, type Entry } from '../attempt.ts';
import type { Arena } from '../arena.ts';
import { atOnce, fragmentOf } from '../hostile-hub.ts';
import { STEM } from '../canaries.ts';
import { rawQuery } from '../wire.ts';
import { lateSeries, WORLD_POLICY } from '../world-data.ts';
import { encodeFragment } from '../../../src/plan/frames/fragment-codec.ts';

/** How much leaves, what is written down of it, and what happens while something is on its way. */
export const LIMIT_ENTRIES: readonly Entry[] = [
  {
    name: 'as much as one can get',
    attempts: [
      attempt(
        'open',
        'more rows, more bytes, more bytes a day',
        'limit answer_rows, limit answer_bytes, budget',
        greedy,
      ),
      ...refusedAfter('aggregate', 'limit', ['count by (route) (routes)', 'partial count by (route) (routes)']),
      attempt(
        'aggregate',
        'more values of a public label than anybody lists',
        'limit label_values',
        async ({ hub }) => {
          const answer = await hub.list('labels', { name: 'route' });
          if (!('refusal' in answer)) return 'it was answered';
          const { code, name } = answer.refusal as { readonly code: string; readonly name: string };
          return code === 'limit' && name === 'label_values' ? undefined : `it was refused with ${code} ${name}`;
        },
      ),
      attempt(
        'aggregate',
        'more work than an agent does for one request',
        'limit, before it begins',
        async ({ hub, endMs }) => {
          const grid = rangeGrid(endMs - 10_000_000, endMs, 1_000);
          const huge = ['min', 'max', 'sum'].map((of) => `sum(${of}_over_time(routes[100s:20ms]))`).join(' + ');
          const [answer] = await hub.ask([fragmentOf(huge, grid)]);
          if (answer === undefined || !('refusal' in answer)) return 'it was answered';
          const { code, name } = answer.refusal;
          return code === 'limit' && name.endsWith('PerQuery') ? undefined : `it was refused with ${code} ${name}`;
        },
      ),
    ],
  },
  {
    name: 'a series that is stored while a request is worked on',
    attempts: [
      attempt(
        'aggregate',
        'topk over a metric that gets another label meanwhile',
        'it is never seen in an answer',
        meanwhile,
      ),
    ],
  },
  {
    name: 'what is written down',
    attempts: [
      attempt('every', 'an answer', 'its leaf is in the ledger, and names no value', recorded),
      harmless(
        'aggregate',
        'sum(histogram_quantile(0.5, broken_latency_bucket))',
        'no number of single series is in its notes',
        () => undefined,
      ),
    ],
  },
];

async function greedy(arena: Arena): Promise<string | undefined> {
  const policy = `${WORLD_POLICY}limits: {answer_rows: 2, answer_bytes: 2000, bytes_per_day: 6000}\n`;
  const domain = await arena.agent({ policy });
  try {
    const said = async (query: string, steps = 1): Promise<string> => {
      const grid = rangeGrid(arena.endMs - (steps - 1) * 100, arena.endMs, 100);
      const [answer] = await domain.hub.ask([fragmentOf(query, grid)]);
      if (answer === undefined || !('refusal' in answer)) return 'answered';
      return `${answer.refusal.code} ${answer.refusal.name}`;
    };
    const listed = async (name: string): Promise<string> => {
      const answer = await domain.hub.list('series', { selectors: [name] });
      if (!('refusal' in answer)) return 'answered';
      const { code, name: what } = answer.refusal as { readonly code: string; readonly name: string };
      return `${code} ${what}`;
    };
    const rows = [await said('sum by (service) (shop_stock)'), await listed('open_queue')];
    if (rows.some((one) => one !== 'limit answer_rows')) return `three rows were ${rows.join(' and ')}`;
    const long = await said('sum(shop_stock)', 500);
    if (long !== 'limit answer_bytes') return `a long answer was ${long}`;
    let last = 'answered';
    for (let i = 0; i < 60 && last === 'answered'; i++) last = await said('sum(shop_stock)');
    if (last !== 'budget bytes_per_day') return `sixty answers ended with ${last}`;
    const list = await listed('mute_nothing');
    return list === 'budget bytes_per_day' || list.startsWith('class_') ? undefined : `a list was ${list}`;
  } finally {
    await domain.close();
  }
}

/** So many times, each with a metric of its own: only sometimes a series comes between the check and the evaluation. */
const TIMES = 6;
const LATE = 1e9;

async function meanwhile(arena: Arena): Promise<string | undefined> {
  const { hub, endMs, words } = arena;
  for (let time = 0; time < TIMES; time++) {
    const metric = `ranked_race_${races++}`;
    const early = { __name__: metric, job: 'shop', service: 'early' };
    await arena.deliver(lateSeries(early, 1, endMs));
    const fragments = Array.from({ length: 60 }, (_, i) => fragmentOf(`sum(topk(1, ${metric})) + ${i}`, atOnce(endMs)));
    const asking = hub.ask(fragments);
    await new Promise((resolve) => setTimeout(resolve, 4 * (time + 1)));
    const late = { ...early, service: 'late', customer: words.word('a customer who came late') };
    const [answers] = await Promise.all([asking, arena.deliver(lateSeries(late, LATE, endMs))]);
    const told = answers.findIndex((answer) => shownBy(answer).some(({ values }) => values.some((one) => one >= LATE)));
    if (told >= 0) return `fragment ${told} shows it`;
  }
  return undefined;
}

let races = 0;

async function recorded({ hub, endMs, fill }: Arena): Promise<string | undefined> {
  const query = fill('sum(shop_stock{customer="$word", service="cart"})');
  const request = rawQuery(
    [fragmentOf(query, atOnce(endMs)), fragmentOf('sum(shop_stock)', atOnce(endMs))].map(encodeFragment),
  );
  const reply = await hub.send('/federation/v1/query', request);
  const { answer, receipt } = decodeReleased(reply.body);
  if (receipt === undefined) return 'there is no receipt';
  const { leaf } = verifyReceipt(receipt, request, answer, verifierOf(receipt.key));
  const text = JSON.stringify(leaf);
  if (text.includes(STEM) || text.includes('cart')) return `the leaf has the value of a matcher: ${text}`;
  return leaf.decision === 'partly' ? undefined : `the leaf says ${leaf.decision}`;
}
