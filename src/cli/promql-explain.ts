import { Command } from 'commander';
import { instantQuery, rangeQuery } from '../api/query.ts';
import { ComityError } from '../base/errors.ts';
import type { QueryGrid } from '../model/grid.ts';
import { explainPlanRefusal, type RefusedQuery } from '../hub/refusal.ts';
import { distribute } from '../plan/distribute.ts';
import { normalise } from '../plan/normalise.ts';
import { PlanRefusal } from '../plan/refusal.ts';
import { typeOf } from '../promql/check.ts';
import { featuresFrom } from '../promql/features.ts';
import { parseExpr } from '../promql/parse.ts';
import { printExpr } from '../promql/print.ts';
import { SHARDS_MAX } from '../shard/open-shards.ts';
import { splitOverShards } from '../shard/split.ts';
import { enableFeatureOption } from './enable-feature.ts';
import { ANSWER_WORDS, planJson, treeLines, type PlanJson } from '../plan/explain/plan-tree.ts';
import { exprText, printMade } from './promql-text.ts';

interface Options {
  readonly domainLabel: string;
  readonly shards: string;
  readonly time?: string;
  readonly start?: string;
  readonly end?: string;
  readonly step: string;
  readonly enableFeature: readonly string[];
  readonly json?: boolean;
}

/** How a query runs. */
interface Explained {
  readonly query: string;
  readonly type: string;
  readonly steps: number;
  readonly federation: PlanJson | { readonly refused: string };
  readonly agent: PlanJson;
}

/** `comity promql explain EXPR`: what runs where. */
export function promqlExplainCommand(): Command {
  return new Command('explain')
    .description('Show how a PromQL query splits: over the domains of a federation, and over the shards of one agent.')
    .argument('<expr>', 'the expression; - reads it from standard input')
    .option('--domain-label <name>', 'the label that tells domains apart', 'domain')
    .option('--shards <number>', 'threads of an agent', '4')
    .option('--time <time>', 'evaluate at this time (Unix seconds or RFC 3339) instead of now')
    .option('--start <time>', 'first step of a range query')
    .option('--end <time>', 'last step of a range query (now when left out)')
    .option('--step <duration>', 'distance of the steps of a range query', '15s')
    .addOption(enableFeatureOption())
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExit status: 0 explained, also where a federation refuses; 1 a mistake.')
    .action((expr: string, options: Options) =>
      printMade(
        options.json,
        () => explained(exprText(expr), options),
        (made) => explainedText(made, options),
      ),
    );
}

function explained(text: string, options: Options): Explained {
  const expr = parseExpr(text, featuresFrom(options.enableFeature));
  const kind = options.start === undefined ? instantQuery : rangeQuery;
  kind.check(expr);
  const grid = gridOf(options);
  const shards = shardsOf(options.shards);
  const agent = planJson(splitOverShards(normalise(expr, grid, text), grid, shards, false));
  const federation = federated({ text, expr, grid }, options.domainLabel);
  return { query: printExpr(expr), type: typeOf(expr), steps: grid.steps, federation, agent };
}

function gridOf({ time = '', start, end, step }: Options): QueryGrid {
  const nowMs = Date.now();
  if (start === undefined) return instantQuery.grid(new URLSearchParams({ time }), nowMs);
  return rangeQuery.grid(new URLSearchParams({ start, end: end ?? String(nowMs / 1000), step }), nowMs);
}

/** What a federation cannot answer is part of the explanation. */
function federated(query: RefusedQuery, domainLabel: string): Explained['federation'] {
  const { text, expr, grid } = query;
  try {
    return planJson(distribute(expr, grid, { domainLabel, text }));
  } catch (error) {
    if (!(error instanceof PlanRefusal)) throw error;
    return { refused: explainPlanRefusal(error, { query, domainLabel, domains: [], refusals: [] }).message };
  }
}

function shardsOf(text: string): number {
  const shards = Number(text);
  if (/^\d+$/.test(text) && shards >= 1 && shards <= SHARDS_MAX) return shards;
  throw new ComityError('bad_data', `--shards must be a number from 1 to ${SHARDS_MAX}, not ${JSON.stringify(text)}`);
}

function explainedText({ query, type, steps, federation, agent }: Explained, options: Options): string {
  const { domainLabel, shards } = options;
  return [
    `${query}   [${type}, ${steps} ${steps === 1 ? 'step' : 'steps'}]`,
    '',
    `over domains told apart by the label ${domainLabel}:`,
    ...('refused' in federation ? [`  ${federation.refused}`] : planLines(federation, 'the hub', 'each domain')),
    '',
    `over ${shards} shards of one agent:`,
    ...planLines(agent, 'the agent', 'each shard'),
  ].join('\n');
}

function planLines({ remainder, fragments, rawReads }: PlanJson, asker: string, place: string): string[] {
  return [
    ...fragments.flatMap(({ answer, steps, tree }, i) => [
      `  fragment ${i}, in ${place} at ${steps.steps} ${steps.steps === 1 ? 'step' : 'steps'}; answers with ${ANSWER_WORDS[answer]}:`,
      ...treeLines(tree, '    '),
    ]),
    ...rawReads.map((read) => `  raw samples of ${place} go to ${asker} for ${read}`),
    `  at ${asker}:`,
    ...treeLines(remainder, '    '),
  ];
}
