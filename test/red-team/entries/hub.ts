import { cp, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeReleased, encodeReleased, type Receipt } from '../../../src/plan/frames/receipt-codec.ts';
import type { Arena } from '../arena.ts';
import { attempt, type Entry } from '../attempt.ts';
import { searchFolder } from '../folder.ts';
import { startWireTap, type WireTap } from '../wire-tap.ts';

/** What an agent, or whoever sits on the wire, tells an honest hub; and what that hub tells everybody. */
export const HUB_ENTRIES: readonly Entry[] = [
  {
    name: 'answer without a receipt',
    isSlow: true,
    attempts: [
      attempt('every', 'one lie after the other about the receipt', 'the hub takes the domain for failed', lies),
    ],
  },
  {
    name: 'replay under another agent, or to another request',
    isSlow: true,
    attempts: [
      attempt('every', 'the answer to an earlier request', 'the hub takes the domain for failed', replayed),
      attempt('every', "another agent's answer", 'the hub takes the domain for failed', anotherAgents),
    ],
  },
  {
    name: 'forked ledger',
    isSlow: true,
    attempts: [
      attempt('every', 'a ledger that forgot what it had said', 'the hub takes the domain for failed', forkedLedger),
    ],
  },
  {
    name: 'what a hub tells',
    isSlow: true,
    attempts: [
      attempt('every', 'every route of a hub, its files, its log and its metrics', 'nothing of the canaries', hubTells),
    ],
  },
];

const QUERY = 'sum by (service) (shop_stock)';

/** What a hub says when it is asked for QUERY. */
async function asked(url: string, { endMs }: Arena, query = QUERY): Promise<{ text: string; rows: number }> {
  const answer = await fetch(`${url}/api/v1/query?time=${endMs / 1000}&query=${encodeURIComponent(query)}`);
  const text = await answer.text();
  const { data } = JSON.parse(text) as { readonly data?: { readonly result?: readonly unknown[] } };
  return { text, rows: data?.result?.length ?? 0 };
}

/** What may be done to an answer and its receipt. */
const LIES: readonly (readonly [what: string, tell: (answer: Uint8Array, receipt: Receipt) => Uint8Array])[] = [
  ['no receipt at all', (answer) => encodeReleased(answer, undefined as never)],
  ['an answer that is no envelope', (answer) => answer],
  ['another answer under the same receipt', (answer, receipt) => encodeReleased(flipped(answer), receipt)],
  ['a leaf with one bit more', changed((receipt) => ({ leaf: flipped(receipt.leaf) }))],
  ['another salt', changed((receipt) => ({ answerSalt: flipped(receipt.answerSalt) }))],
  ['the place of another leaf', changed((receipt) => ({ index: receipt.index + 1 }))],
  ['a proof with one bit more', changed((receipt) => ({ proof: [...receipt.proof.map(flipped), Buffer.alloc(32)] }))],
  [
    'a checkpoint of another size',
    changed((receipt) => ({ checkpoint: receipt.checkpoint.replace(/\n(\d+)\n/, '\n9$1\n') })),
  ],
];

function changed(change: (receipt: Receipt) => Partial<Receipt>) {
  return (answer: Uint8Array, receipt: Receipt): Uint8Array =>
    encodeReleased(answer, { ...receipt, ...change(receipt) });
}

/** A hub over the arena's agent with a tap between, which is honest before each lie. */
async function lies(arena: Arena): Promise<string | undefined> {
  return tapped(arena, async (tap, url) => {
    for (const [what, tell] of LIES) {
      tap.tamper = undefined;
      const honest = await untilAnswered(url, arena);
      if (honest !== undefined) return honest;
      tap.tamper = ({ path, body }) => {
        if (path !== 'query') return body;
        const { answer, receipt } = decodeReleased(body);
        return Buffer.from(tell(answer, receipt as Receipt));
      };
      const believed = await isBelieved(url, arena);
      if (believed !== undefined) return `${what}: ${believed}`;
    }
    return undefined;
  });
}

async function replayed(arena: Arena): Promise<string | undefined> {
  return tapped(arena, async (tap, url) => {
    const honest = await untilAnswered(url, arena);
    if (honest !== undefined) return honest;
    let first: Buffer | undefined;
    tap.tamper = ({ path, body }) => (path === 'query' ? (first ??= body) : body);
    await asked(url, arena, `${QUERY} + ${queries++}`);
    return isBelieved(url, arena);
  });
}

/** Whether the hub gives an answer, or is silent about that it has none. */
async function isBelieved(url: string, arena: Arena): Promise<string | undefined> {
  const { rows, text } = await asked(url, arena, `${QUERY} + ${queries++}`);
  if (rows > 0) return `the hub gave the answer: ${text.slice(0, 300)}`;
  return text.includes('"complete":true') ? `the hub said nothing of it: ${text.slice(0, 300)}` : undefined;
}

/** Makes each query another one. */
let queries = 1;

async function tapped(
  arena: Arena,
  run: (tap: WireTap, url: string) => Promise<string | undefined>,
): Promise<string | undefined> {
  const tap = await startWireTap(arena.hub.url, arena.crossings);
  try {
    const hub = await arena.honestHub([{ name: 'eu', url: tap.url, token: arena.hub.token }]);
    const said = await run(tap, hub.url);
    await hub.close();
    return said;
  } finally {
    await tap.close();
  }
}

/** A hub may need a moment to know its domains. */
async function untilAnswered(url: string, arena: Arena): Promise<string | undefined> {
  let last = '';
  for (let i = 0; i < 40; i++) {
    const { rows, text } = await asked(url, arena);
    if (rows === 3) return undefined;
    last = text;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return `the hub has no answer from an honest agent: ${last.slice(0, 300)}`;
}

/** With the lowest bit of its last byte the other way round. */
function flipped(bytes: Uint8Array): Uint8Array {
  const changed = Uint8Array.from(bytes);
  changed[changed.length - 1]! ^= 1;
  return changed;
}

/** The hub has known the one agent's ledger when another one answers in its place. */
async function anotherAgents(arena: Arena): Promise<string | undefined> {
  const other = await arena.agent({});
  return redirected(arena, arena.hub, async () => other.hub);
}

/** An agent that is put back to an earlier state of its ledger, and goes on from there. */
async function forkedLedger(arena: Arena): Promise<string | undefined> {
  const first = await arena.agent({});
  const { dir } = first;
  const kept = `${dir}-kept`;
  await first.close();
  await mkdir(kept);
  await moveLedger(dir, kept);
  const second = await arena.agent({ dir });
  return redirected(arena, second.hub, async () => {
    await second.close();
    await rm(dir, { recursive: true, force: true });
    await mkdir(dir);
    await moveLedger(kept, dir);
    const third = await arena.agent({ dir });
    // As many leaves as the hub has seen, and other ones.
    for (let i = 0; i < 20; i++) await third.hub.list('labels', { name: 'service' });
    return third.hub;
  });
}

async function moveLedger(from: string, to: string): Promise<void> {
  for (const name of await readdir(from)) await cp(join(from, name), join(to, name), { recursive: true });
}

/** A hub that has had answers from one agent is answered by another. */
async function redirected(
  arena: Arena,
  first: { readonly url: string; readonly token: string },
  next: () => Promise<{ readonly url: string; readonly token: string }>,
): Promise<string | undefined> {
  const tap = await startWireTap(first.url, arena.crossings);
  try {
    const hub = await arena.honestHub([{ name: 'eu', url: tap.url, token: first.token }]);
    const honest = await untilAnswered(hub.url, arena);
    if (honest !== undefined) return honest;
    tap.redirect(await next());
    // What an answer does not show by itself comes out with the proofs that a hub asks for beside them.
    for (let i = 1; i <= PATIENCE; i++) {
      const { rows } = await asked(hub.url, arena, `${QUERY} + ${i}`);
      if (rows === 0) return await hub.close().then(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return 'the hub goes on giving answers';
  } finally {
    await tap.close();
  }
}

/** Some heartbeats, in tenths of a second. */
const PATIENCE = 150;

async function hubTells(arena: Arena): Promise<string | undefined> {
  const tap = await startWireTap(arena.hub.url, arena.crossings);
  try {
    const hub = await arena.honestHub(
      [{ name: 'eu', url: tap.url, token: arena.hub.token }],
      'state: {path: hub-state.sqlite}\ncache_bytes: 1000000\naudit: {path: audit.jsonl}\n',
    );
    const honest = await untilAnswered(hub.url, arena);
    if (honest !== undefined) return honest;
    for (const path of hubPaths(arena)) {
      const answer = await fetch(`${hub.url}${path}`);
      arena.crossings.crossed(`the hub's answer to ${path}`, Buffer.from(await answer.arrayBuffer()));
      arena.crossings.crossed(
        `headers of the hub's answer to ${path}`,
        Buffer.from(JSON.stringify([...answer.headers])),
      );
      if (path.startsWith('/federate') || path.includes('/read')) {
        if (answer.status !== 404) return `${path} was answered ${answer.status}`;
      }
    }
    await hub.close();
    arena.crossings.crossed("the hub's log", Buffer.from(hub.log()));
    searchFolder(hub.dir, arena.crossings, (file) => !file.endsWith('hub.yaml'));
    return hub.log().includes(arena.hub.token) ? "the token is in the hub's log" : undefined;
  } finally {
    await tap.close();
  }
}

const HUB_QUERIES = [
  QUERY,
  'shop_stock',
  'open_tagged',
  'up',
  'sum by (customer) (shop_stock)',
  'sum(shop_stock{customer=~"z.*"})',
  'secret_balance',
  'sum(secret_balance)',
  'card_spend',
  'sum by (service) (guarded_salary)',
  'topk(1, ranked_tagged)',
  '{__name__=~".+"}',
  'count by (__name__) ({__name__=~".+"})',
  'histogram_quantile(0.9, sum by (le) (rate(shop_latency_seconds_bucket[1m])))',
  'sum(traces_spanmetrics_calls_total)',
  'sum by (service, span_name, span_kind, status_code) (traces_spanmetrics_calls_total)',
  'info(open_queue)',
  'coverage(sum(secret_balance))',
  'absent(secret_balance)',
];

function hubPaths({ endMs }: Arena): readonly string[] {
  const now = endMs / 1000;
  const selectors = ['shop_stock', 'open_tagged', 'secret_balance', '{__name__=~".+"}', 'open_latency_seconds_bucket'];
  return [
    ...HUB_QUERIES.flatMap((query) => {
      const text = encodeURIComponent(query);
      return [
        `/api/v1/query?stats=all&time=${now}&query=${text}`,
        `/api/v1/query_range?stats=all&start=${now - 120}&end=${now}&step=15&query=${text}`,
        `/api/v1/explain?query=${text}`,
      ];
    }),
    ...selectors.flatMap((selector) => {
      const match = encodeURIComponent(selector);
      return [
        `/api/v1/series?match[]=${match}`,
        `/api/v1/labels?match[]=${match}`,
        `/api/v1/label/service/values?match[]=${match}`,
        `/api/v1/query_exemplars?query=${match}&start=${now - 600}&end=${now + 600}`,
        `/federate?match[]=${match}`,
      ];
    }),
    ...['customer', 'user', 'email', 'instance', '__name__', 'job', 'span_name'].map(
      (name) => `/api/v1/label/${name}/values`,
    ),
    '/api/v1/labels',
    '/api/v1/metadata',
    '/api/v1/metadata?metric=secret_balance',
    '/api/v1/read',
    '/api/v1/status/federation',
    '/api/v1/status/config',
    '/api/v1/status/runtimeinfo',
    '/api/v1/targets',
    '/api/v1/rules',
    '/api/v1/no_such_path',
    '/metrics',
    '/',
  ];
}
