import type { Metadata } from '../model/batch.ts';
import { normalise } from '../plan/normalise.ts';
import type { Expr, MatrixSelector } from '../promql/ast.ts';
import { dataText, exemplarsAnswer, samplesAnswer, setsAnswer, stringsAnswer, valueAnswer } from './answer-json.ts';
import type { Asker, LocalQuestion, QueryQuestion } from './questions.ts';
import { evaluateOver, fragmentOver, NOTHING_SPENT, remainderUsage, samplesOver, type RunSettings } from './run.ts';
import type { ShardReader } from './shard.ts';

/** Asks shards and works out in this thread what they do not answer by themselves. `turn` as in `localShard`. */
export function localAsker(shards: readonly ShardReader[], turn?: () => void): Asker {
  return {
    answer: (question) => answerOver(shards, question, turn),
    fragment: ({ fragment, ...settings }) =>
      fragmentOver(shards, fragment, { ...settings, scope: 'part', releases: true }),
  };
}

async function answerOver(
  shards: readonly ShardReader[],
  question: LocalQuestion,
  turn: (() => void) | undefined,
): Promise<Uint8Array> {
  const usage = { ...remainderUsage(question), turn };
  switch (question.kind) {
    case 'instant':
    case 'range': {
      const settings: RunSettings = { ...question, scope: 'whole', releases: false, spent: NOTHING_SPENT };
      const matrix = rangeVectorOf(question);
      if (matrix !== undefined)
        return samplesAnswer(await samplesOver(shards, matrix, settings), question.limit, usage);
      const value = await evaluateOver(shards, normalise(question.expr, question.grid), settings);
      return valueAnswer(value, question, usage);
    }
    case 'names': {
      // One more than wanted shows that there are more.
      const asked = { ...question, limit: question.limit + 1, releases: false };
      return stringsAnswer((await all(shards, (shard) => shard.labels(asked))).flat(), question.limit);
    }
    case 'series': {
      const asked = { ...question, limit: question.limit + 1 };
      return setsAnswer((await all(shards, (shard) => shard.series(asked))).flat(), question.limit, usage);
    }
    case 'exemplars':
      return exemplarsAnswer((await all(shards, (shard) => shard.exemplars(question))).flat(), usage);
    case 'metadata':
      return metadataAnswer((await all(shards, (shard) => shard.metadata())).flat(), question);
  }
}

function all<T>(shards: readonly ShardReader[], ask: (shard: ShardReader) => Promise<T>): Promise<readonly T[]> {
  return Promise.all(shards.map(ask));
}

/** A range vector as the whole query, with its times made absolute. */
function rangeVectorOf({ expr, grid }: QueryQuestion): MatrixSelector | undefined {
  let node: Expr = expr;
  while (node.kind === 'paren') node = node.expr;
  if (node.kind !== 'matrix') return undefined;
  const selector = normalise(node.selector, grid);
  return selector.kind === 'vector' ? { ...node, selector } : node;
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
