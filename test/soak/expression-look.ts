import type { Random } from '../random.ts';
import type { QueryResult } from './client.ts';
import { evaluate, randomExpression, type Expression } from './expression.ts';
import type { LookDeps } from './raw-look.ts';

const STEPS_MAX = 12;

/** Asks for a random expression at some steps in the settled past, and compares. */
export async function lookAtExpression(deps: LookDeps, random: Random): Promise<void> {
  const { client, model } = deps;
  const { schedule, acknowledged } = model;
  const settled = Math.min(...acknowledged) - schedule.delayMax - 2;
  if (settled < 2) return;
  const latestMs = schedule.timeOf(schedule.lasting[0]!, settled);
  const expression = randomExpression(random, schedule.stepMs);
  // The recent past half of the time: there memory and files meet.
  const back = random.chance(0.5) ? Math.min(settled, 4 * schedule.delayMax) : settled;
  const endMs = latestMs - random.int(0, back * schedule.stepMs);
  const stepMs = schedule.stepMs * random.int(1, 20);
  const steps = random.chance(0.4) ? 1 : random.int(2, STEPS_MAX);
  const startMs = endMs - (steps - 1) * stepMs;
  const start = model.now();
  const question =
    steps === 1 ? `${expression.text} at ${endMs}` : `${expression.text} from ${startMs} to ${endMs} each ${stepMs} ms`;
  const result =
    steps === 1
      ? await client.instant(expression.text, endMs)
      : await client.range(expression.text, startMs, endMs, stepMs);
  const look = { start, end: model.now() };
  // More than one deletion meanwhile leaves more answers open than are worth telling.
  if (look.end.begun - start.done > 1) return;
  const found = valuesByTime(expression, result);
  for (let step = 0; step < steps; step++) {
    const timeMs = startMs + step * stepMs;
    const before = evaluate(model, expression, timeMs, look, false);
    const after = look.end.begun === start.done ? before : evaluate(model, expression, timeMs, look, true);
    if (before === undefined || after === undefined) continue;
    compareStep(
      deps,
      { question, timeMs, isAggregate: expression.aggregate !== undefined },
      found.get(timeMs),
      before,
      after,
    );
  }
}

interface Step {
  readonly question: string;
  readonly timeMs: number;
  readonly isAggregate: boolean;
}

const NONE: ReadonlyMap<string, number> = new Map();

function compareStep(
  { report }: LookDeps,
  { question, timeMs, isAggregate }: Step,
  got: ReadonlyMap<string, number> = NONE,
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
): void {
  for (const key of new Set([...before.keys(), ...after.keys(), ...got.keys()])) {
    const [value, one, other] = [got.get(key), before.get(key), after.get(key)];
    // A deletion comes to each shard at its own time: an aggregate may be anything between.
    if (isAggregate && !isNear(one, other)) continue;
    report.compared(1);
    if (isNear(value, one) || isNear(value, other)) continue;
    const expected = isNear(one, other) ? text(one) : `${text(one)} or ${text(other)}`;
    report.mismatch({ series: key === '' ? 'all' : key, timeMs, expected, got: text(value), question });
  }
}

/** Rates come from divisions in an order of their own; all else is exact. */
const RELATIVE = 1e-9;

function isNear(a: number | undefined, b: number | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return Math.abs(a - b) <= RELATIVE * Math.max(Math.abs(a), Math.abs(b));
}

function text(value: number | undefined): string {
  return value === undefined ? 'nothing' : String(value);
}

/** By time in ms, then by the label that tells the rows apart. */
function valuesByTime({ aggregate }: Expression, { result }: QueryResult): ReadonlyMap<number, Map<string, number>> {
  const byTime = new Map<number, Map<string, number>>();
  for (const { metric, value, values } of result) {
    let key = metric['series'] ?? '';
    if (aggregate !== undefined) key = aggregate.byBucket ? (metric['bucket'] ?? '') : '';
    for (const [seconds, one] of values ?? (value === undefined ? [] : [value])) {
      const timeMs = Math.round(seconds * 1_000);
      let row = byTime.get(timeMs);
      if (row === undefined) byTime.set(timeMs, (row = new Map()));
      row.set(key, Number(one));
    }
  }
  return byTime;
}
