import { ComityError, toComityError } from '../base/errors.ts';
import { labelsKey } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import type { SeriesColumns } from '../model/series.ts';
import type { Source } from '../model/source.ts';
import type { Fragment } from '../plan/distribute.ts';
import { localShard, type ShardOptions, type ShardSource } from '../shard/local-shard.ts';
import { fragmentOver, type FragmentRows, type RunSettings } from '../shard/run.ts';
import type { ReadSize } from '../store/read-size.ts';
import { garbled, type ServerClient, type Until } from './client.ts';
import { exportRead } from './export.ts';
import { LIMITS } from '../base/limits.ts';
import { remoteRead, type RawQuery } from './remote-read.ts';
import { startReadBudget } from './samples.ts';
import type { Engine } from './server.ts';
import { coarseSelector, inView, type View } from './view.ts';

export interface ReadSettings extends Pick<
  RunSettings,
  'lookbackMs' | 'features' | 'spent' | 'deadlineMs' | 'cancelled'
> {
  readonly policies: ShardOptions['policies'];
  readonly view: View;
  readonly engine: Engine;
}

/**
 * The answer to a fragment from raw samples, which are read inside the domain and evaluated by the engine: the server's
 * series are those of one shard. What an evaluation reads is known once it has been made, so it is made over nothing first,
 * and again for as long as it asks for more.
 */
export async function readFragment(
  client: ServerClient,
  fragment: Fragment,
  settings: ReadSettings,
  until: Until,
): Promise<FragmentRows> {
  const { view, engine, policies, ...run } = settings;
  const budget = startReadBudget();
  const known = new Map<string, readonly SeriesColumns[]>();
  for (let round = 0; round < LIMITS.upstreamReadRounds; round++) {
    const missing = new Map<string, Selection>();
    const shard = localShard(shardSource(known, missing), { policies });
    try {
      const answer = await fragmentOver([shard], fragment, { ...run, releases: true });
      if (missing.size === 0) return answer;
    } catch (error) {
      // One that hangs on the data shows again when all data are there.
      if (missing.size === 0 || !OF_DATA.has(toComityError(error).code)) throw error;
    }
    const wanted = [...missing.values()];
    const read = engine === 'prometheus' ? remoteRead : exportRead;
    const results = await read(
      client,
      wanted.map((selection) => rawQuery(selection, view)),
      budget,
      until,
    );
    for (const [i, key] of [...missing.keys()].entries()) known.set(key, seen(results[i]!, wanted[i]!, view));
  }
  throw new ComityError('internal', 'an evaluation does not come to an end of what it reads');
}

const OF_DATA: ReadonlySet<string> = new Set(['execution', 'undecided']);

interface Selection {
  readonly matchers: readonly Matcher[];
  readonly fromMs: number;
  readonly toMs: number;
}

function rawQuery({ matchers, fromMs, toMs }: Selection, view: View): RawQuery {
  return { matchers: coarseSelector(matchers, view), fromMs, toMs };
}

function seen(found: readonly SeriesColumns[], { matchers, fromMs, toMs }: Selection, view: View): SeriesColumns[] {
  const series: SeriesColumns[] = [];
  const keys = new Set<string>();
  for (const one of found) {
    const labels = inView(one.labels, matchers, view);
    if (labels === undefined) continue;
    const key = labelsKey(labels);
    if (keys.has(key)) throw garbled('a series twice');
    keys.add(key);
    const { times } = one;
    if (times.length > 0 && (times[0]! < fromMs || times.at(-1)! > toMs)) throw garbled('samples beside the range');
    series.push({ ...one, labels });
  }
  return series;
}

/** What has been read; what has not is noted. */
function shardSource(
  known: ReadonlyMap<string, readonly SeriesColumns[]>,
  missing: Map<string, Selection>,
): ShardSource {
  const select: Source['select'] = (matchers, fromMs, toMs) => {
    const key = JSON.stringify([fromMs, toMs, matchers.map(({ name, op, value }) => [name, op, value])]);
    const found = known.get(key);
    if (found !== undefined) return found;
    missing.set(key, { matchers, fromMs, toMs });
    return [];
  };
  const size = (): ReadSize => ({ series: 0, samples: 0 });
  return { select, series: () => [], size, metadata: () => [], exemplars: () => [] };
}
