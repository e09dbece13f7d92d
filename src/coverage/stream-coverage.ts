import { toComityError } from '../base/errors.ts';
import type { Until } from '../border/release-coverage.ts';
import type { Stream } from '../model/stream.ts';
import type { CoverageQuestion, CoverageRead, CoverageRun } from '../plan/frames/coverage-codec.ts';
import { coverageRuns, type ReadStreams } from './coverage-runs.ts';
import type { MetricProducers } from './metric-producers.ts';
import type { KnownStream, StreamTracker } from './streams.ts';

/** Where it is looked up what is known of streams. */
export interface CoverageSources {
  readonly streams: Pick<StreamTracker, 'find' | 'all'>;
  readonly producersOf: MetricProducers;
  now(): number;
}

/** Of the metrics that an agent makes from spans: their series name the job of a trace stream and no instance. */
const SPAN_METRICS = 'traces_';

/**
 * The streams behind the steps of a question. A read of a metric concerns the streams whose series have its name, and one of
 * any metric all streams; so does one whose producers cannot be found.
 */
export async function streamCoverage(
  { grid, reads }: CoverageQuestion,
  { streams, producersOf, now }: CoverageSources,
  until: Until,
): Promise<readonly CoverageRun[]> {
  const ofAny: CoverageRead[] = [];
  const named: NamedReads[] = [];
  for (const [metric, own] of Map.groupBy(reads, (read) => read.metric)) {
    const producers = metric === '' ? undefined : await found(producersOf, metric, until);
    if (producers === undefined) ofAny.push(...own);
    else named.push({ metric, producers, reads: own });
  }
  const concerned = concernedBy(named, streams);
  const nowMs = now();
  // Most streams are concerned by the same reads, which are put in order once for all of them.
  const groups = new Map<string, ReadStreams & { readonly known: KnownStream[] }>();
  for (const stream of ofAny.length === 0 ? concerned.keys() : streams.all()) {
    const own = concerned.get(stream) ?? [];
    const key = own.join();
    let group = groups.get(key);
    if (group === undefined) {
      const known: KnownStream[] = [];
      const pasts = {
        *[Symbol.iterator]() {
          for (const one of known) yield one.past(nowMs);
        },
      };
      group = { reads: [...ofAny, ...own.flatMap((at) => named[at]!.reads)], pasts, known };
      groups.set(key, group);
    }
    group.known.push(stream);
  }
  return coverageRuns(grid, groups.values());
}

/** The reads of one metric, and whose series have its name. */
interface NamedReads {
  readonly metric: string;
  readonly producers: readonly Stream[];
  readonly reads: readonly CoverageRead[];
}

async function found(
  producersOf: MetricProducers,
  metric: string,
  until: Until,
): Promise<readonly Stream[] | undefined> {
  try {
    return await producersOf(metric, until);
  } catch (error) {
    const { code } = toComityError(error);
    // Nobody waits any more, or something is wrong that must be known.
    if (code === 'canceled' || code === 'internal') throw error;
    return undefined;
  }
}

/** The streams that any of the metrics has, each with the metrics by index. */
function concernedBy(
  named: readonly NamedReads[],
  streams: CoverageSources['streams'],
): ReadonlyMap<KnownStream, readonly number[]> {
  const concerned = new Map<KnownStream, number[]>();
  const add = (stream: KnownStream, at: number): void => {
    const own = concerned.get(stream);
    if (own === undefined) concerned.set(stream, [at]);
    else own.push(at);
  };
  for (const [at, { metric, producers }] of named.entries()) {
    for (const { job, instance } of producers) {
      const stream = streams.find({ signal: 'metrics', job, instance });
      if (stream !== undefined) add(stream, at);
    }
    if (!metric.startsWith(SPAN_METRICS)) continue;
    const jobs = new Set(producers.filter(({ instance }) => instance === '').map(({ job }) => job));
    for (const stream of streams.all()) {
      if (stream.key.signal === 'traces' && jobs.has(stream.key.job)) add(stream, at);
    }
  }
  return concerned;
}
