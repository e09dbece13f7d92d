import type { KnownStream, StreamTracker } from '../coverage/streams.ts';
import { hearSign, heardStream, scrapeMetric, signOf, silentTimes, type HeardTimes } from '../model/heard-times.ts';
import { labelValue, METRIC_NAME } from '../model/labels.ts';
import { isStaleAt } from '../model/series.ts';
import { streamKey, streamOf, type HeardStream, type Stream } from '../model/stream.ts';
import type { TimeRange } from '../plan/read-range.ts';
import { NO_FEATURES } from '../promql/features.ts';
import { NOTHING_SPENT } from '../shard/run.ts';
import type { ShardReader, ShardRow } from '../shard/shard.ts';

/** How far back senders may have filled a gap shortly before the agent was killed. */
const FILLED_MS = 60 * 60 * 1000;

/** An agent is not to start later than that because of what it may find. */
const LOOK_MS = 10_000;

/** More jobs than this are not looked at: each takes a look at all shards. */
const JOBS_MAX = 1_000;

/**
 * The times of the samples that shards hold of live streams and that these are not known to have: since their last one, and
 * in their gaps. `killed` is from when the streams were written down last until now. Throws what a shard throws.
 */
export async function storedTimes(
  shards: readonly ShardReader[],
  streams: Pick<StreamTracker, 'all'>,
  killed: TimeRange,
): Promise<readonly HeardStream[]> {
  const oldestMs = killed.fromMs - FILLED_MS;
  const fromByJob = new Map<string, number>();
  for (const stream of streams.all()) {
    if (stream.key.signal !== 'metrics' || stream.endedMs !== 0) continue;
    const { job } = stream.key;
    fromByJob.set(job, Math.min(fromByJob.get(job) ?? Infinity, Math.max(oldestMs, unknownSince(stream, oldestMs))));
  }
  const heard = new Map<string, StoredTimes>();
  const deadlineMs = Date.now() + LOOK_MS;
  for (const [job, fromMs] of [...fromByJob].slice(0, JOBS_MAX)) {
    for (const shard of shards) {
      for (const row of await readJob(shard, job, { fromMs, toMs: killed.toMs }, deadlineMs)) hearRow(heard, row);
    }
  }
  return Array.from(heard.values(), heardFrom);
}

interface StoredTimes {
  readonly stream: Stream;
  readonly times: Set<number>;
  /** Signs that it had none. */
  readonly absence: HeardTimes;
}

/** The first time at which samples of it may be stored of which nothing is known. */
function unknownSince({ lastMs, gaps }: KnownStream, oldestMs: number): number {
  const gap = gaps.find(({ toMs }) => toMs >= oldestMs);
  return Math.min(lastMs + 1, gap?.fromMs ?? Infinity);
}

async function readJob(
  shard: ShardReader,
  job: string,
  { fromMs, toMs }: TimeRange,
  deadlineMs: number,
): Promise<readonly ShardRow[]> {
  const { fragments } = await shard.run({
    fragments: [{ answer: 'series', matchers: [{ name: 'job', op: '=', value: job }], fromMs, toMs }],
    lookbackMs: 1,
    features: NO_FEATURES,
    scope: 'shard',
    releases: false,
    spent: NOTHING_SPENT,
    deadlineMs,
    cancelled: new Int32Array(new SharedArrayBuffer(4)),
  });
  return fragments[0] ?? [];
}

function hearRow(heard: Map<string, StoredTimes>, { labels, columns }: ShardRow): void {
  const stream = streamOf(labels);
  const key = streamKey(stream);
  let known = heard.get(key);
  if (known === undefined) heard.set(key, (known = { stream, times: new Set(), absence: silentTimes() }));
  const about = scrapeMetric(labelValue(labels, METRIC_NAME));
  const [timesMs, values] = columns.fields as [Float64Array, Float64Array];
  for (const [i, timeMs] of timesMs.entries()) {
    const sign = signOf(about, isStaleAt(values, i), values[i]!);
    if (sign === 'there') known.times.add(timeMs);
    else hearSign(known.absence, sign, timeMs);
  }
}

/** All pauses are told, short ones as well: from them the interval is learned anew. */
function heardFrom({ stream, times, absence }: StoredTimes): HeardStream {
  const sorted = [...times].sort((a, b) => a - b);
  const [earliestMs = Infinity] = sorted;
  const latestMs = sorted.at(-1) ?? -Infinity;
  const pauses = sorted.slice(1).map((toMs, i) => ({ fromMs: sorted[i]!, toMs }));
  return { ...heardStream(stream, { ...absence, earliestMs, latestMs }), pauses };
}
