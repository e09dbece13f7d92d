import type { Client, NativeJson, ResultSeries } from './client.ts';
import { isMeant, selectorOf, type Look, type Model, type Selection } from './model.ts';
import type { Report } from './report.ts';
import { isNative, METRIC, nativeOf, sentWith, valueOf, type Schedule, type Series } from './schedule.ts';

export interface LookDeps {
  readonly client: Client;
  readonly model: Model;
  readonly report: Report;
}

/**
 * Asks for the samples of a selection of one kind in [fromMs, toMs] as they are, and compares each of them. `taken`: when the
 * agent holds what there was at another time than now.
 */
export async function lookAtSamples(
  { client, model, report }: LookDeps,
  selection: Selection,
  fromMs: number,
  toMs: number,
  taken?: Look,
): Promise<void> {
  const question = `${selectorOf(selection)}[${toMs - fromMs + 1}ms]`;
  const start = model.now();
  const { result } = await client.instant(question, toMs);
  const look = taken ?? { start, end: model.now() };
  const found = new Map<string, ResultSeries>();
  for (const one of result) {
    const key = one.metric['series'] ?? '';
    if (found.has(key)) {
      report.mismatch({ series: JSON.stringify(one.metric), expected: 'one series', got: 'two', question });
    }
    found.set(key, one);
  }
  const { stepMs } = model.schedule;
  const first = model.schedule.lasting[0]!;
  const fromRound = model.schedule.roundFrom(first, fromMs - stepMs);
  const toRound = model.schedule.roundFrom(first, toMs + stepMs);
  const asked = `${question} at ${toMs}`;
  for (const series of model.series(selection, fromRound, toRound)) {
    compareSeries(model, report, series, { fromMs, toMs, look, question: asked }, found.get(series.key));
    found.delete(series.key);
  }
  for (const { metric } of found.values()) {
    report.mismatch({ series: JSON.stringify(metric), expected: 'no such series', got: 'samples of it', question });
  }
}

interface Question {
  readonly fromMs: number;
  readonly toMs: number;
  readonly look: Look;
  readonly question: string;
}

function compareSeries(
  model: Model,
  report: Report,
  series: Series,
  { fromMs, toMs, look, question }: Question,
  found: ResultSeries | undefined,
): void {
  const { schedule } = model;
  const got = new Map<number, string>();
  for (const [seconds, value] of found?.values ?? []) got.set(Math.round(seconds * 1_000), value);
  for (const [seconds, native] of found?.histograms ?? []) got.set(Math.round(seconds * 1_000), nativeText(native));
  let compared = 0;
  const wrong = (timeMs: number, expected: string, was: string, round?: number): void => {
    report.mismatch({
      series: `${METRIC[series.kind]}{series="${series.key}"}`,
      timeMs,
      expected,
      got: was,
      question,
      notes: notesOf(model, series, timeMs, look, round),
    });
  };
  model.visit(series, fromMs, toMs, look, (round, timeMs, state, isStale) => {
    // Markers are in no range of samples.
    if (isStale) return;
    compared++;
    const value = got.get(timeMs);
    got.delete(timeMs);
    if (value === undefined) {
      if (state === 'must') wrong(timeMs, expectedText(schedule, series, round), 'nothing', round);
    } else if (value !== expectedText(schedule, series, round)) {
      wrong(timeMs, expectedText(schedule, series, round), value, round);
    }
  });
  for (const [timeMs, value] of got) {
    wrong(timeMs, 'nothing', value, Math.floor((timeMs - schedule.timeOf(series, 0)) / schedule.stepMs));
  }
  report.compared(compared + got.size);
}

/** What decides whether a sample is to be there, for people. */
function notesOf(model: Model, series: Series, timeMs: number, { start, end }: Look, round?: number): string {
  const meant = model.deletions.flatMap((one, i) => {
    if (!isMeant(one.selection, series) || one.fromMs > timeMs || one.toMs < timeMs) return [];
    return [`deletion ${i} of what was sent up to round ${one.cut}${one.isDone ? '' : ' (under way)'}`];
  });
  return [
    `round ${round ?? 'unknown'}${round === undefined ? '' : `, sent with ${sentWith(model.schedule, series, round)}`}`,
    `acknowledged ${start.acknowledged.join(' ')} before the question, up to ${end.attempted} sent after it`,
    ...meant,
  ].join('; ');
}

function expectedText(schedule: Schedule, series: Series, round: number): string {
  if (!isNative(series.kind)) return String(valueOf(schedule, series, round));
  const { counts, count, sum } = nativeOf(series, round);
  return `${count}/${sum}/${counts.filter((one) => one > 0).join(' ')}`;
}

function nativeText({ count, sum, buckets = [] }: NativeJson): string {
  return `${count}/${sum}/${buckets.map((bucket) => bucket[3]).join(' ')}`;
}
