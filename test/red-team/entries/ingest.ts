import { performance } from 'node:perf_hooks';
import type { Arena } from '../arena.ts';
import { attempt, refused, type Entry } from '../attempt.ts';
import { atOnce, Denied, fragmentOf } from '../hostile-hub.ts';
import { encodeFragment } from '../../../src/plan/frames/fragment-codec.ts';
import type { Aggregate, VectorSelector } from '../../../src/promql/ast.ts';
import { rawQuery, refusalsIn } from '../wire.ts';
import { randomFrom } from '../../random.ts';
import { lateSeries } from '../world-data.ts';

/** Every label that span metrics and OTLP metrics could carry anything in. */
const SPAN_LABELS = [
  'service',
  'service_name',
  'span_name',
  'span_kind',
  'status_code',
  'http_request_method',
  'http_response_status_code',
  'http_route',
  'url_template',
  'rpc_service',
  'error_type',
  'otel_scope_name',
  'otel_scope_version',
];

/** What is sent to a domain in order to get it out again, or to stop its agent. */
export const INGEST_ENTRIES: readonly Entry[] = [
  {
    name: 'personal data in every place of a span',
    attempts: [
      ...[
        'traces_spanmetrics_calls_total',
        'traces_spanmetrics_duration_seconds_bucket',
        'traces_target_info',
        'target_info',
      ].map((metric) =>
        attempt('aggregate', `${metric} by every label`, 'nothing of the spans but what is public', (arena) =>
          byEvery(arena, metric),
        ),
      ),
      ...SPAN_LABELS.map((label) =>
        attempt('aggregate', `values of ${label}`, 'nothing of the spans but what is public', async ({ hub }) => {
          await hub.list('labels', { name: label });
          return undefined;
        }),
      ),
    ],
  },
  {
    name: 'patterns that take for ever',
    isSlow: true,
    attempts: [
      attempt(
        'every',
        'values made for a detector to go back and forth in',
        'no more time than for harmless ones, but for a factor',
        slowValues,
      ),
      attempt('aggregate', 'regular expressions made to go back and forth', 'answered or limit', async (arena) => {
        const patterns = [
          '(a+)+$',
          '(a|a)*b',
          '(.*)*x',
          '(((a{1,30}){1,30}){1,30})',
          '(x+x+)+y',
          `${'a?'.repeat(500)}${'a'.repeat(500)}`,
        ];
        for (const pattern of patterns) {
          try {
            const answer = await arena.hub.askBytes(rawQuery([countOf(pattern, arena.endMs)]));
            const [refusal] = refusalsIn(answer);
            if (refusal?.code !== '' && refusal?.code !== 'limit') return `${pattern}: ${refusal?.code}`;
          } catch (error) {
            if (!(error instanceof Denied && ['limit', 'bad_data'].includes(error.code))) throw error;
          }
        }
        return undefined;
      }),
    ],
  },
  {
    name: 'a thousand rephrasings',
    isSlow: true,
    attempts: [
      ...refused('sealed', ['class_sealed', 'matcher_not_permitted'], rephrased('secret_balance', 500, 1)),
      ...refused('protected', ['class_protected', 'matcher_not_permitted'], rephrased('card_spend', 500, 2)),
    ],
  },
];

/** Counts the routes that a pattern fits, which no reader of ours has looked at. */
function countOf(pattern: string, endMs: number): Uint8Array {
  const fragment = fragmentOf('count(routes{route=~"PATTERN"})', atOnce(endMs));
  const count = fragment.expr as Aggregate;
  const selector = count.expr as VectorSelector;
  const matchers = selector.matchers.map(({ name, op, value }) => ({
    name,
    op,
    value: value === 'PATTERN' ? pattern : value,
  }));
  return encodeFragment({
    ...fragment,
    answer: 'vector',
    expr: { ...count, expr: { ...selector, matchers } },
  });
}

async function byEvery({ hub, endMs }: Arena, metric: string): Promise<string | undefined> {
  const fragments = SPAN_LABELS.map((label) => fragmentOf(`count by (${label}) (${metric})`, atOnce(endMs)));
  await hub.ask([...fragments, fragmentOf(`count by (${SPAN_LABELS.join(', ')}) (${metric})`, atOnce(endMs))]);
  return undefined;
}

/** Pieces of what detectors look for, over and over, and never the whole. */
const NEARLY = [
  'a@',
  '@a.',
  '4111 ',
  '4111-',
  'DE89 37',
  '1.2.3.',
  'eyJ.',
  '+49 (0)',
  ':::1',
  'a.b-c_',
  '....@',
  '0000',
];

const VALUE_BYTES = 4_000;

/** Far less than what a pattern takes that goes back and forth in as many letters. */
const FACTOR = 50;

async function slowValues(arena: Arena): Promise<string | undefined> {
  const send = async (piece: string, at: number): Promise<number> => {
    const value = piece.repeat(Math.ceil(VALUE_BYTES / piece.length)).slice(0, VALUE_BYTES);
    const startedMs = performance.now();
    await arena.deliver(
      lateSeries({ __name__: `slow_${slow++}`, job: 'shop', service: value, customer: value }, at, arena.endMs),
    );
    return performance.now() - startedMs;
  };
  let slow = 0;
  const harmless = Math.max(...(await Promise.all(['abcd', 'efgh', 'ijkl'].map(send))), 10);
  for (const [i, piece] of NEARLY.entries()) {
    const took = await send(piece, i);
    if (took > harmless * FACTOR)
      return `${piece}: ${Math.round(took)} ms, and a harmless one ${Math.round(harmless)} ms`;
  }
  return undefined;
}

/** Ways to say that some number of a metric is wanted, each in other words. */
function rephrased(metric: string, times: number, seed: number): readonly string[] {
  const random = randomFrom(seed);
  const found = new Set<string>();
  while (found.size < times) {
    let text = random.pick([
      metric,
      `{"${metric}"}`,
      `{__name__="${metric}"}`,
      `{__name__=~"${metric}"}`,
      `{__name__=~"${metric.slice(0, -1)}[${metric.at(-1)}]"}`,
      `${metric}{service=~".+"}`,
      `${metric}{service!="nobody"}`,
      `${metric}{job="shop"}`,
    ]);
    text += random.pick(['', '', ' offset 1s', ' offset 15s', ' @ end()', ' @ start()']);
    for (let i = random.int(1, 4); i > 0; i--) {
      text = random.pick([
        `sum(${text})`,
        `sum by (service) (${text})`,
        `avg by (job) (${text})`,
        `count(${text})`,
        `max(${text})`,
        `min without (job) (${text})`,
        `abs(${text})`,
        `-(${text})`,
        `(${text} * 2)`,
        `(${text} + ${random.int(1, 99)})`,
        `(${text} > ${random.int(1, 9_999)})`,
        `(${text} == bool ${random.int(1, 9_999)})`,
        `(${text} and on () open_queue)`,
        `(open_queue or on () (${text}))`,
        `sum(open_queue) - on () sum(${text})`,
        `vector(scalar(${text}))`,
        `sort_desc(${text})`,
        `absent(${text})`,
        `topk(${random.int(1, 5)}, ${text})`,
        `max_over_time((${text})[1m:${random.pick(['1s', '5s', '15s'])}])`,
        `clamp_min(${text}, ${random.int(0, 99)})`,
        `round(${text})`,
        `label_replace(${text}, "service", "x", "service", ".*")`,
      ]);
    }
    found.add(text);
  }
  return [...found];
}
