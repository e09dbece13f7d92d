import { compareLabels, labelsFrom, type Labels } from '../../src/model/labels.ts';
import {
  decodeExemplarsAnswer,
  decodeExemplarsRequest,
  encodeExemplarsAnswer,
  encodeExemplarsRequest,
} from '../../src/plan/frames/exemplars-codec.ts';
import {
  decodeMetadataAnswer,
  decodeMetadataRequest,
  encodeMetadataAnswer,
  encodeMetadataRequest,
} from '../../src/plan/frames/metadata-codec.ts';
import {
  decodeSeriesAnswer,
  decodeSeriesRequest,
  encodeSeriesAnswer,
  encodeSeriesRequest,
} from '../../src/plan/frames/series-codec.ts';
import { REQUEST_ID } from '../plan/beside.ts';
import { STATUS } from '../plan/random-frames.ts';
import type { Random } from '../random.ts';
import type { FuzzTarget } from './target.ts';

/** What hubs and agents read of each other where lists are asked for. What could be read can be said again. */
export function listTargets(): FuzzTarget[] {
  return [
    {
      name: 'series-request',
      valid: (random) => encodeSeriesRequest({ ...asking(random), limit: random.int(0, 100) }),
      decode: (input) => void encodeSeriesRequest(decodeSeriesRequest(input)),
    },
    {
      name: 'series-answer',
      valid: (random) =>
        encodeSeriesAnswer(
          random.chance(0.2)
            ? { ...ABOUT, refusal: { code: 'class_aggregate', name: 'm' } }
            : { ...ABOUT, series: sets(random), isCut: random.chance(0.5), isSelective: random.chance(0.5) },
        ),
      decode(input) {
        const answer = decodeSeriesAnswer(input, { id: REQUEST_ID, limit: SETS });
        if (!('series' in answer)) return;
        if (answer.series.length > SETS) throw new Error('more series than asked for');
        answer.series.forEach(assertLabels);
        encodeSeriesAnswer(answer);
      },
    },
    {
      name: 'metadata-answer',
      valid: (random) => {
        const families = Array.from({ length: random.int(0, SETS) }, (_none, i) => ({
          metric: `m${i}`,
          type: random.pick(['counter', 'gauge', 'unknown'] as const),
          unit: random.pick(['', 'seconds']),
          help: random.pick(['', 'Häufigkeit.']),
        }));
        return encodeMetadataAnswer({ ...ABOUT, families, isCut: random.chance(0.5) });
      },
      decode(input) {
        const answer = decodeMetadataAnswer(input, { id: REQUEST_ID, metric: '', limit: SETS });
        if ('families' in answer && answer.families.length > SETS) throw new Error('more families than asked for');
        encodeMetadataAnswer(answer);
      },
    },
    {
      name: 'metadata-request',
      valid: (random) => encodeMetadataRequest({ ...asking(random), metric: random.pick(['', 'up']), limit: 5 }),
      decode: (input) => void encodeMetadataRequest(decodeMetadataRequest(input)),
    },
    {
      name: 'exemplars-request',
      valid: (random) => encodeExemplarsRequest(asking(random)),
      decode: (input) => void encodeExemplarsRequest(decodeExemplarsRequest(input)),
    },
    {
      name: 'exemplars-answer',
      valid: (random) => {
        const series = sets(random).map((labels) => ({
          labels,
          exemplars: Array.from({ length: random.int(1, 3) }, () => ({
            timeMs: random.int(-5, 1e12),
            value: random.pick([0, NaN, -1.5]),
            labels: random.pick([[], ['trace_id', '1'], ['span_id', 'a', 'trace_id', 'ü']]),
          })),
        }));
        return encodeExemplarsAnswer({ ...ABOUT, series, isCut: random.chance(0.5), isSelective: random.chance(0.5) });
      },
      decode(input) {
        const answer = decodeExemplarsAnswer(input, { id: REQUEST_ID });
        if (!('series' in answer)) return;
        for (const { labels, exemplars } of answer.series) {
          assertLabels(labels);
          if (exemplars.length === 0) throw new Error('a series without exemplars');
          for (const one of exemplars) {
            assertLabels(one.labels);
            if (!Number.isSafeInteger(one.timeMs) || typeof one.value !== 'number') throw new Error('no exemplar');
          }
        }
        encodeExemplarsAnswer(answer);
      },
    },
  ];
}

const ABOUT = { id: REQUEST_ID, status: STATUS };

const SETS = 6;

function asking(random: Random) {
  const selectors = [[{ name: 'job', op: random.pick(['=', '!~'] as const), value: 'a' }]];
  return { id: REQUEST_ID, selectors, fromMs: random.int(-5, 5), toMs: random.int(5, 1e12), timeLeftMs: 1_000 };
}

function sets(random: Random): Labels[] {
  return Array.from({ length: random.int(0, SETS) }, (_none, i) =>
    labelsFrom([['__name__', `m${i}`], ['domain', 'eu'], ...random.subset([['job', 'ü'] as const], 0.5)]),
  );
}

function assertLabels(labels: Labels): void {
  const pairs: [string, string][] = [];
  for (let i = 0; i < labels.length; i += 2) pairs.push([labels[i]!, labels[i + 1]!]);
  if (compareLabels(labels, labelsFrom(pairs)) !== 0) throw new Error('labels out of order, doubled or empty');
}
