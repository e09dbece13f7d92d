import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Agent } from '../../src/agent/agent.ts';
import { drawFrom, type Draw } from '../../src/federationtest/draw.ts';
import { termSum } from '../../src/federationtest/term-sum.ts';
import { handleLabels, seriesHandle, type Batch } from '../../src/model/batch.ts';
import { labelsKey, withDomainLabel, type Labels } from '../../src/model/labels.ts';
import type { SeriesColumns } from '../../src/model/series.ts';
import { FEATURE_NAMES, featuresFrom } from '../../src/promql/features.ts';
import { printExpr } from '../../src/promql/print.ts';
import { typeOf } from '../../src/promql/check.ts';
import type { Evaluate, Load } from '../../src/promqltest/command.ts';
import { loadBatch } from '../../src/promqltest/load-batch.ts';
import { assertAskable, modesOf, type Mode } from '../../src/promqltest/modes.ts';
import { parseScript } from '../../src/promqltest/parse-script.ts';
import { ScriptError } from '../../src/promqltest/script-line.ts';
import { splitBatch } from '../../src/shard/append-split.ts';
import { ask } from '../differential/ask.ts';
import type { When } from '../differential/generator.ts';
import { judge, termLookup } from '../differential/verdict.ts';
import { writeNatives } from '../oracle/native-write.ts';
import { startOracle, type Oracle } from '../oracle/oracle.ts';
import { startFederation, store, type Federation } from './federation.ts';

/** What came of the evaluations that were asked. */
export interface ScriptsOutcome {
  readonly asked: number;
  readonly nonEmpty: number;
  readonly refused: Readonly<Record<string, number>>;
  /** In words. */
  readonly wrong: readonly string[];
}

const DOMAINS = ['d1', 'd2', 'd3'];

/** Remote write 1.0 carries no start times, and the labels of types and units are another view of the data. */
const FEATURES = FEATURE_NAMES.filter((name) => name !== 'use-start-timestamps' && name !== 'type-and-unit-labels');

/** What is loaded between two `clear`s, and what is asked of it. */
interface Segment {
  readonly file: string;
  readonly loads: readonly Load[];
  readonly evaluates: readonly Evaluate[];
}

/**
 * Asks a seeded sample of what scripts ask: `segments` of them, each with up to `evaluations` evaluations, of a hub over HTTP
 * with three agents, and of a Prometheus with all series under their domain label.
 */
export async function runScriptsOverHttp(
  files: readonly string[],
  seed: number,
  segments: number,
  evaluations: number,
): Promise<ScriptsOutcome> {
  const draw = drawFrom(seed);
  const all = files.flatMap(segmentsOf);
  const chosen = [...draw.some(segments, all.length, 'segments')].map((index) => all[index]!);
  const outcome = { asked: 0, nonEmpty: 0, refused: {} as Record<string, number>, wrong: [] as string[] };
  const federation = await startFederation({
    domains: DOMAINS,
    policy: (domain) =>
      JSON.stringify({ version: 1, domain, labels: { permit: ['*'] }, metrics: [{ match: '*', class: 'open' }] }),
    shards: (domain) => DOMAINS.indexOf(domain),
    features: featuresFrom(FEATURES),
  });
  try {
    for (const [place, segment] of chosen.entries()) {
      const oracle = await startOracle({ args: [`--enable-feature=${FEATURES.join(',')}`] });
      try {
        await clear(federation);
        for (const load of segment.loads) await fill(federation, oracle, loadBatch(load), draw, place);
        const picked = draw.some(evaluations, segment.evaluates.length, 'evaluations', place);
        for (const index of picked) {
          await evaluate(segment.evaluates[index]!, federation, oracle, draw, outcome);
        }
      } finally {
        await oracle.close();
      }
    }
  } finally {
    await federation.close();
  }
  return outcome;
}

/** Only what is asked once all is loaded belongs to a segment. */
function segmentsOf(file: string): readonly Segment[] {
  const commands = parseScript(basename(file), readFileSync(file, 'utf8'), featuresFrom(FEATURES));
  const segments: { file: string; loads: Load[]; evaluates: Evaluate[] }[] = [];
  const start = (): void => void segments.push({ file: basename(file), loads: [], evaluates: [] });
  start();
  for (const command of commands) {
    const current = segments.at(-1)!;
    if (command.kind === 'clear') start();
    else if (command.kind === 'load') {
      current.loads.push(command);
      current.evaluates.length = 0;
    } else if (isAsked(command)) current.evaluates.push(command);
  }
  return segments.filter(({ loads, evaluates }) => loads.length > 0 && evaluates.length > 0);
}

function isAsked({ expr }: Evaluate): boolean {
  return !(expr instanceof ScriptError) && typeOf(expr) === 'vector';
}

async function clear({ agents }: Federation): Promise<void> {
  const shards = [...agents.values()].flatMap((agent: Agent) => agent.shards.shards);
  await Promise.all(shards.map((shard) => shard.delete([], -8.64e15, 8.64e15)));
}

async function fill(federation: Federation, oracle: Oracle, batch: Batch, draw: Draw, place: number): Promise<void> {
  const homeOf = (labels: Labels): number => draw.index(DOMAINS.length, 'home', place, labelsKey(labels));
  const parts = splitBatch(batch, { count: DOMAINS.length, shardOf: (handle) => homeOf(handleLabels(handle)!) });
  for (const { shard, batch: part } of parts) {
    const domain = DOMAINS[shard]!;
    const labels = part.series.map((handle) => withDomainLabel(handleLabels(handle)!, 'domain', domain));
    const { rejected } = await store(federation.agents.get(domain)!, { ...part, series: labels.map(seriesHandle) });
    if (rejected.size > 0) throw new Error(`${domain} rejected ${JSON.stringify([...rejected])}`);
    for (const slice of slicesOf(part, labels)) await writeNatives(oracle, slice);
  }
}

/** Less than the hour that a fresh Prometheus looks back from the first sample of a request. */
const SLICE_MS = 30 * 60_000;

/** The rows of a batch as series, in slices of time. */
function slicesOf(batch: Batch, labels: readonly Labels[]): readonly (readonly SeriesColumns[])[] {
  const slices = new Map<number, Map<number, number[]>>();
  for (const [row, timeMs] of batch.times.entries()) {
    const at = Math.floor(timeMs / SLICE_MS);
    const slice = slices.get(at) ?? new Map<number, number[]>();
    slices.set(at, slice);
    const series = batch.seriesOf[row]!;
    slice.set(series, [...(slice.get(series) ?? []), row]);
  }
  const inOrder = [...slices].sort(([a], [b]) => a - b);
  return inOrder.map(([, slice]) => [...slice].map(([series, rows]) => columnsOf(batch, rows, labels[series]!)));
}

function columnsOf({ times, values, histograms }: Batch, rows: readonly number[], labels: Labels): SeriesColumns {
  // As words: a staleness marker must keep its bits.
  const bits = new BigInt64Array(values.buffer, values.byteOffset, values.length);
  const taken = new Float64Array(rows.length);
  new BigInt64Array(taken.buffer).set(rows.map((row) => bits[row]!));
  return {
    labels,
    times: Float64Array.from(rows, (row) => times[row]!),
    values: taken,
    histograms: histograms && {
      ...histograms,
      layoutOf: Int32Array.from(rows, (row) => histograms.layoutOf[row]!),
      hints: Uint8Array.from(rows, (row) => histograms.hints[row]!),
      starts: Uint32Array.from(rows, (row) => histograms.starts[row]!),
    },
  };
}

async function evaluate(
  command: Evaluate,
  federation: Federation,
  oracle: Oracle,
  draw: Draw,
  outcome: { asked: number; nonEmpty: number; refused: Record<string, number>; wrong: string[] },
): Promise<void> {
  if (command.expr instanceof ScriptError) return;
  const modes = modesOf(command, command.expr);
  const mode = draw.pick(modes, 'mode', command.line.file, command.line.number);
  assertAskable(mode);
  const { expr } = mode;
  const when = whenOf(mode);
  const text = printExpr(expr);
  const [want, got] = await Promise.all([ask(oracle.url, text, when), ask(federation.url, text, when)]);
  const verdict = await judge(expr, want, got, async () =>
    termLookup(await ask(oracle.url, printExpr(termSum(expr)), when)),
  );
  outcome.asked++;
  if (verdict.kind === 'equal' && !verdict.empty) outcome.nonEmpty++;
  if (verdict.kind === 'refused') outcome.refused[verdict.reason] = (outcome.refused[verdict.reason] ?? 0) + 1;
  if (verdict.kind === 'wrong') {
    const { file, number } = command.line;
    outcome.wrong.push(`${file}:${number} ${mode.name}: ${text}: ${JSON.stringify(verdict.difference)}`);
  }
}

function whenOf({ kind, grid }: Mode): When {
  const { startMs, stepMs } = grid;
  if (kind === 'instant') return { kind, timeMs: startMs };
  return { kind, startMs, endMs: startMs + stepMs * (grid.steps - 1), stepMs };
}
