import { LIMITS } from '../../../src/base/limits.ts';
import type { Arena } from '../arena.ts';
import { attempt, denied, type Attempt, type Entry } from '../attempt.ts';
import { atOnce, fragmentOf, type ListAsk, type ListKind } from '../hostile-hub.ts';
import { STEM } from '../canaries.ts';
import { rawQuery, refusalsIn } from '../wire.ts';

/** What leaves beside answers to queries, and ways that must lead nowhere. */
export const SIDE_DOOR_ENTRIES: readonly Entry[] = [
  {
    name: 'label, series, exemplar and metadata lists',
    attempts: [
      ...listRefused('labels', 'label_not_permitted', [
        { name: 'customer' },
        { name: 'user' },
        { name: 'email' },
        { name: 'instance' },
        { name: 'kunde.name' },
        { name: 'customer', selectors: ['shop_stock'] },
      ]),
      ...listRefused('labels', 'matcher_not_permitted', [
        { name: 'service', selectors: ['shop_stock{customer=~"z.*"}'] },
        { name: '', selectors: ['{user!=""}'] },
      ]),
      listShows('labels', { name: '' }, 'names of labels that may leave', (shown) => {
        const secret = ['customer', 'user', 'email', 'kunde.name', 'employee', 'node'].filter((name) =>
          shown.includes(JSON.stringify(name)),
        );
        return secret.length === 0 ? undefined : `it names ${secret.join()}`;
      }),
      listShows('labels', { name: '__name__' }, 'names of metrics that are not withheld', (shown) =>
        /secret_|card_/.test(shown) ? 'it names one' : undefined,
      ),
      listShows(
        'labels',
        { name: 'service', selectors: ['secret_balance'] },
        'nothing of a sealed metric',
        isEmptyList,
      ),
      listShows('labels', { name: 'service', selectors: ['card_spend'] }, 'nothing of a protected metric', isEmptyList),
      ...listRefused('series', 'class_sealed', [
        { selectors: ['secret_balance'] },
        { selectors: ['open_queue', 'secret_balance'] },
      ]),
      ...listRefused('series', 'class_protected', [{ selectors: ['card_spend'] }]),
      ...listRefused('series', 'class_aggregate', [{ selectors: ['shop_stock'] }, { selectors: ['guarded_salary'] }]),
      ...listRefused('series', 'matcher_not_permitted', [{ selectors: ['open_tagged{customer=~"z.*"}'] }]),
      listShows('series', { selectors: ['open_tagged'] }, 'no series with a label that may not leave', isEmptySeries),
      listShows('series', { selectors: ['{__name__=~".+"}'] }, 'open series alone', (shown) =>
        /secret_|card_|shop_|customer/.test(shown) ? 'it shows others' : undefined,
      ),
      ...listRefused('exemplars', 'matcher_not_permitted', [
        { selectors: ['open_latency_seconds_bucket{customer="$word"}'] },
      ]),
      listShows(
        'exemplars',
        { selectors: ['{__name__=~".+"}'] },
        'those of open series, without their labels',
        withoutLabels,
      ),
      listShows(
        'exemplars',
        { selectors: ['shop_latency_seconds_bucket'] },
        'nothing of an aggregate metric',
        isEmptySeries,
      ),
      listShows('exemplars', { selectors: ['secret_latency_bucket'] }, 'nothing of a sealed metric', isEmptySeries),
      listShows('metadata', { name: '' }, 'families that are not withheld', (shown) =>
        /secret|card_/.test(shown) ? 'it names one' : undefined,
      ),
      listShows('metadata', { name: 'secret_balance' }, 'nothing of a sealed family', isEmptyFamilies),
      listShows('metadata', { name: 'card_spend' }, 'nothing of a protected family', isEmptyFamilies),
    ],
  },
  {
    name: 'coverage, heartbeats and explain as presence oracles',
    attempts: [
      attempt('sealed', 'coverage of a sealed metric', 'it is that of all metrics', (arena) =>
        sameCoverage(arena, 'secret_balance'),
      ),
      attempt('protected', 'coverage of a protected metric', 'it is that of all metrics', (arena) =>
        sameCoverage(arena, 'card_spend'),
      ),
      attempt('sealed', 'coverage of a sealed metric that is not there', 'it is that of all metrics', (arena) =>
        sameCoverage(arena, 'secret_no_such_metric'),
      ),
      attempt('every', 'the heartbeat', 'counts of streams, and nothing by metric', async ({ hub }) => {
        const words = JSON.stringify(await hub.status());
        return /secret|card_|customer/.test(words) ? `it says ${words}` : undefined;
      }),
      attempt('sealed', 'explain of a sealed metric', 'class_sealed', (arena) =>
        explained(arena, 'sum(secret_balance)', 'class_sealed'),
      ),
      attempt('protected', 'explain of a protected metric', 'class_protected', (arena) =>
        explained(arena, 'sum(card_spend)', 'class_protected'),
      ),
      attempt('aggregate', 'explain of a restricted group', 'label_not_permitted', (arena) =>
        explained(arena, 'sum by (customer) (shop_stock)', 'label_not_permitted'),
      ),
      attempt(
        'aggregate',
        'explain of a group of one',
        'nothing is said of groups below min_series',
        async ({ hub, endMs }) => {
          const [verdict] = await hub.explain([fragmentOf('sum(guarded_salary{service="solo"})', atOnce(endMs))]);
          if (verdict === undefined || 'refusal' in verdict) return undefined;
          return verdict.series === 0 ? undefined : `it counts ${verdict.series} series`;
        },
      ),
      attempt('aggregate', 'coverage of a metric with a min_series', 'it is that of all metrics', (arena) =>
        sameCoverage(arena, 'guarded_salary'),
      ),
      attempt('aggregate', 'explain of single series', 'class_aggregate', (arena) =>
        explained(arena, 'shop_stock', 'class_aggregate'),
      ),
    ],
  },
  {
    name: 'error texts',
    attempts: [
      attempt(
        'aggregate',
        'an error that would name two series',
        'execution, and nothing else',
        async ({ hub, endMs }) => {
          const text = 'sum by (service) (shop_stock) * on () sum by (service) (shop_stock)';
          const [answer] = await hub.ask([fragmentOf(text, atOnce(endMs))]);
          if (answer === undefined || !('refusal' in answer)) return 'it was answered';
          const { code, name } = answer.refusal;
          return code === 'execution' && name === '' ? undefined : `it was refused with ${code} ${name}`;
        },
      ),
      attempt(
        'aggregate',
        'a matcher with a value that nobody may know',
        'no value of a refused query is echoed',
        async ({ hub, endMs, fill }) => {
          const [answer] = await hub.ask([fragmentOf(fill('sum(shop_stock{customer="$word"})'), atOnce(endMs))]);
          return JSON.stringify(answer).includes(STEM) ? 'the value came back' : undefined;
        },
      ),
      attempt(
        'every',
        'a fragment that cannot be read',
        'what could not be read, by its name in the protocol',
        async ({ hub }) => {
          const [refusal] = refusalsIn(await hub.askBytes(rawQuery([Buffer.from([0xfa, 0x01, 0x01, 0x41])])));
          return refusal?.code === 'unsupported' ? undefined : `it was refused with ${refusal?.code}`;
        },
      ),
      denied('bytes that are no message', 400, 'bad_data', ({ hub }) =>
        hub.send('/federation/v1/query', Buffer.from('\xff\xff\xff')),
      ),
      denied('another version', 400, 'unsupported', ({ hub }) =>
        hub.send('/federation/v1/query', rawQuery([], { version: 4 })),
      ),
      denied('a version to come', 400, 'unsupported', ({ hub }) =>
        hub.send('/federation/v1/query', rawQuery([], { version: 99 })),
      ),
      denied('no id', 400, 'bad_data', ({ hub }) =>
        hub.send('/federation/v1/query', rawQuery([], { id: Buffer.alloc(0) })),
      ),
      denied('a field that no version has', 400, 'unsupported', ({ hub }) =>
        hub.send('/federation/v1/query', Buffer.concat([rawQuery([]), Buffer.from([0xf8, 0x01, 0x01])])),
      ),
      attempt('every', 'a body that is too large', '413, or the connection is cut', async ({ hub }) => {
        try {
          const { status } = await hub.send('/federation/v1/query', Buffer.alloc(LIMITS.bodyBytes + 1));
          return status === 413 ? undefined : `it was answered ${status}`;
        } catch (error) {
          const { code = '' } = error as NodeJS.ErrnoException;
          if (['EPIPE', 'ECONNRESET'].includes(code)) return undefined;
          throw error;
        }
      }),
      denied('another type', 415, 'unsupported_media_type', ({ hub }) =>
        hub.send('/federation/v1/query', Buffer.from('{}'), { 'content-type': 'application/json' }),
      ),
    ],
  },
  {
    name: 'series, labels, exemplars, federate and remote-read routes',
    attempts: [
      ...[
        '/api/v1/series?match[]=shop_stock',
        '/api/v1/labels',
        '/api/v1/label/customer/values',
        '/api/v1/query?query=shop_stock',
        '/api/v1/query_exemplars?query=shop_stock',
        '/api/v1/read',
        '/api/v1/targets',
        '/api/v1/metadata',
        '/api/v1/status/tsdb',
        '/federate?match[]=shop_stock',
        '/metrics',
        '/debug/pprof/heap',
        '/-/ready',
        '/federation/v1/query',
        '/federation/v1/../../api/v1/query?query=shop_stock',
        '/federation/v1/query/',
        '/federation/v2/query',
        '/%66ederation/v1/raw',
        '/admin',
      ].map((path) => denied(`GET ${path}`, 404, 'not_found', ({ hub }) => hub.send(path))),
      denied('POST /api/v1/read', 404, 'not_found', ({ hub }) => hub.send('/api/v1/read', Buffer.from('x'))),
    ],
  },
];

function listRefused(kind: ListKind, code: string, asks: readonly ListAsk[]): readonly Attempt[] {
  return asks.map((ask) =>
    attempt('every', `${kind} ${JSON.stringify(ask)}`, code, async (arena) => {
      const { name = '', selectors = [] } = ask;
      const answer = await arena.hub.list(kind, { name, selectors: selectors.map(arena.fill) });
      if (!('refusal' in answer)) return 'it was answered';
      const { code: given } = answer.refusal as { readonly code: string };
      return given === code ? undefined : `it was refused with ${given}`;
    }),
  );
}

function listShows(kind: ListKind, ask: ListAsk, why: string, fault: (shown: string) => string | undefined): Attempt {
  return attempt('every', `${kind} ${JSON.stringify(ask)}`, why, async ({ hub }) => {
    const { status: _, id: __, ...answer } = (await hub.list(kind, ask)) as Record<string, unknown>;
    if ('refusal' in answer) return `it was refused with ${JSON.stringify(answer['refusal'])}`;
    return fault(JSON.stringify(answer));
  });
}

function isEmptyList(shown: string): string | undefined {
  return shown.includes('"values":[]') ? undefined : `it shows ${shown}`;
}

function isEmptySeries(shown: string): string | undefined {
  return shown.includes('"series":[]') ? undefined : `it shows ${shown}`;
}

/** All labels of their exemplars are prohibited, and gone; those on a host may not leave. */
function withoutLabels(shown: string): string | undefined {
  const { series } = JSON.parse(shown) as { readonly series: readonly { readonly exemplars: readonly Exemplar[] }[] };
  const all = series.flatMap(({ exemplars }) => exemplars);
  const isAsWanted = all.length === 9 && all.every(({ value, labels }) => value === 0.5 && labels.length === 0);
  return isAsWanted ? undefined : `it shows ${shown}`;
}

interface Exemplar {
  readonly value: number;
  readonly labels: readonly string[];
}

function isEmptyFamilies(shown: string): string | undefined {
  return shown.includes('"families":[]') ? undefined : `it shows ${shown}`;
}

async function sameCoverage({ hub, endMs }: Arena, metric: string): Promise<string | undefined> {
  const grid = { startMs: endMs - 60_000, stepMs: 15_000, steps: 5 };
  const question = (name: string) => ({ grid, reads: [{ metric: name, fromMs: -60_000, toMs: 0, fixed: false }] });
  const [one, all] = await hub.coverage([question(metric), question('')]);
  const same = JSON.stringify(one!.runs) === JSON.stringify(all!.runs);
  return same ? undefined : `it is ${JSON.stringify(one)}, and that of all is ${JSON.stringify(all)}`;
}

async function explained({ hub, endMs }: Arena, text: string, code: string): Promise<string | undefined> {
  const [verdict] = await hub.explain([fragmentOf(text, atOnce(endMs))]);
  if (verdict === undefined || !('refusal' in verdict)) return `it was permitted: ${JSON.stringify(verdict)}`;
  return verdict.refusal.code === code ? undefined : `it was refused with ${verdict.refusal.code}`;
}
