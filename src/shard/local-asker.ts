import type { Metadata } from '../model/batch.ts';
import { normalise } from '../plan/normalise.ts';
import { dataText, exemplarsAnswer, setsAnswer, stringsAnswer, valueAnswer } from './answer-json.ts';
import type { Answered, Asker, LocalQuestion } from './questions.ts';
import { evaluateOver, fragmentOver, NOTHING_SPENT, ownUsage, type RunSettings } from './run.ts';
import type { ShardReader } from './shard.ts';

/** Asks shards and works out in this thread what they do not answer by themselves. `turn` as in `localShard`. */
export function localAsker(shards: readonly ShardReader[], turn?: () => void): Asker {
  return {
    answer: (question) => answerOver(shards, question, turn),
    fragment: ({ fragment, ...settings }) => fragmentOver(shards, fragment, { ...settings, releases: true, turn }),
  };
}

async function answerOver(
  shards: readonly ShardReader[],
  question: LocalQuestion,
  turn: (() => void) | undefined,
): Promise<Answered> {
  const usage = ownUsage({ ...question, turn });
  switch (question.kind) {
    case 'instant':
    case 'range': {
      const settings: RunSettings = { ...question, scope: 'whole', releases: false, spent: NOTHING_SPENT, turn };
      const expr = normalise(question.expr, question.grid, question.text);
      const startMs = performance.now();
      const evaluated = await evaluateOver(shards, expr, question.grid, settings);
      const { series, samples } = evaluated.spent;
      const envelope = valueAnswer(evaluated, question, (performance.now() - startMs) / 1000, usage);
      return { envelope, series, samples };
    }
    case 'names': {
      // One more than wanted shows that there are more.
      const asked = { ...question, limit: question.limit + 1, releases: false };
      return uncounted(stringsAnswer((await all(shards, (shard) => shard.labels(asked))).flat(), question.limit));
    }
    case 'series': {
      const asked = { ...question, limit: question.limit + 1, releases: false };
      const found = (await all(shards, (shard) => shard.series(asked))).flat();
      return { envelope: setsAnswer(found, question.limit, usage), series: found.length, samples: 0 };
    }
    case 'exemplars': {
      const found = (await all(shards, (shard) => shard.exemplars({ ...question, releases: false }))).flat();
      const samples = found.reduce((sum, { exemplars }) => sum + exemplars.length, 0);
      return { envelope: exemplarsAnswer(found, usage), series: found.length, samples };
    }
    case 'metadata':
      return uncounted(
        metadataAnswer((await all(shards, (shard) => shard.metadata({ releases: false }))).flat(), question),
      );
  }
}

function uncounted(envelope: Uint8Array): Answered {
  return { envelope, series: 0, samples: 0 };
}

function all<T>(shards: readonly ShardReader[], ask: (shard: ShardReader) => Promise<T>): Promise<readonly T[]> {
  return Promise.all(shards.map(ask));
}

/** `{"<family>":[{"type":…,"unit":…,"help":…}]}`. */
function metadataAnswer(
  all: readonly Metadata[],
  { metric: wanted, limit }: { readonly metric: string; readonly limit: number },
): Uint8Array {
  const families = new Map<string, unknown>();
  for (const { metric, type, unit, help } of all) {
    if (families.size >= limit) break;
    if (wanted === '' || wanted === metric) families.set(metric, [{ type, unit, help }]);
  }
  // Not by assignment: a family may be named __proto__.
  return dataText(JSON.stringify(Object.fromEntries(families)), false);
}
