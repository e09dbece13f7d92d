import { ComityError } from '../base/errors.ts';
import { labelsKey } from '../model/labels.ts';
import { parseDuration } from '../promql/duration.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import type { Command, Load, LoadedSample, LoadedSeries } from './command.ts';
import { parseEvaluate } from './parse-evaluate.ts';
import { failAt, placed, scriptLines, type ScriptLine } from './script-line.ts';
import { parseSeries, VALUES_MAX, type Series } from './series-notation.ts';
import { hasStartTimes, parseStartTimes, type StartTimes } from './start-times.ts';

/** Characters of a script; the largest of Prometheus's own has some 110,000. */
const SCRIPT_CHARS_MAX = 16 * 1024 * 1024;

/**
 * The commands of a script. A command goes from its first line to the next empty line or comment. `file` names the script in
 * errors. Throws `ScriptError` with the place, and `limit` for a script that is too long.
 */
export function parseScript(file: string, text: string, features: PromqlFeatures): readonly Command[] {
  if (text.length > SCRIPT_CHARS_MAX) {
    throw new ComityError('limit', `${file}: a script has at most ${SCRIPT_CHARS_MAX} characters`);
  }
  const lines = scriptLines(file, text);
  const commands: Command[] = [];
  for (let at = 0; at < lines.length;) {
    const line = lines[at]!;
    if (line.text === '') {
      at++;
      continue;
    }
    const word = line.text.split(/[\t ]/, 1)[0]!.toLowerCase();
    const rest = following(lines, at);
    if (word === 'clear') {
      commands.push({ kind: 'clear', line });
      at++;
    } else if (word.startsWith('load')) {
      commands.push(parseLoad(line, rest));
      at += 1 + rest.length;
    } else if (word.startsWith('eval')) {
      const { command, used } = parseEvaluate(line, rest, features);
      commands.push(command);
      at += 1 + used;
    } else {
      failAt(line, 0, `unknown command ${JSON.stringify(word.slice(0, 40))}; there are load, clear and eval`);
    }
  }
  return commands;
}

/** The lines behind a command's first one that may belong to it. */
function following(lines: readonly ScriptLine[], at: number): readonly ScriptLine[] {
  let end = at + 1;
  while (end < lines.length && lines[end]!.text !== '') end++;
  return lines.slice(at + 1, end);
}

const LOAD = /^load(_with_nhcb)?\s+(\S.*)$/d;

function parseLoad(line: ScriptLine, rest: readonly ScriptLine[]): Load {
  const match = LOAD.exec(line.text);
  if (match === null) return failAt(line, 0, 'a load command is written as load[_with_nhcb] <step>, such as load 5m');
  const stepMs = placed(line, match.indices![2]![0], () => parseDuration(match[2]!));
  /** Of equal label sets the last one counts. */
  const series = new Map<string, LoadedSeries>();
  let total = 0;
  let starts: { readonly line: ScriptLine; readonly times: StartTimes } | undefined;
  for (const one of rest) {
    if (hasStartTimes(one)) {
      if (starts !== undefined) failAt(starts.line, 0, NO_SAMPLES);
      starts = { line: one, times: parseStartTimes(one) };
      continue;
    }
    const parsed = parseSeries(one);
    if (starts !== undefined) checkStarts(starts.line, starts.times, parsed);
    total += parsed.values.length;
    if (total > VALUES_MAX) failAt(one, 0, `more than ${VALUES_MAX} values in one load`);
    const samples = samplesOf(parsed, stepMs, starts?.times);
    series.set(labelsKey(parsed.labels), { line: one, labels: parsed.labels, samples });
    starts = undefined;
  }
  if (starts !== undefined) failAt(starts.line, 0, NO_SAMPLES);
  return { kind: 'load', line, series: [...series.values()], withCustomBuckets: match[1] !== undefined };
}

const NO_SAMPLES = 'no line with the samples of the same series follows these start times';

function checkStarts(line: ScriptLine, { labels, offsetsMs }: StartTimes, { labels: of, values }: Series): void {
  if (labelsKey(labels) !== labelsKey(of)) failAt(line, 0, NO_SAMPLES);
  if (offsetsMs.length === values.length) return;
  failAt(line, 0, `${offsetsMs.length} start times for the ${values.length} values of the next line`);
}

function samplesOf({ values }: Series, stepMs: number, starts: StartTimes | undefined): readonly LoadedSample[] {
  return values.flatMap((value, i) => {
    if (value.kind === 'none') return [];
    const timeMs = i * stepMs;
    const offsetMs = starts?.offsetsMs[i];
    return [{ timeMs, startMs: offsetMs === undefined ? 0 : timeMs + offsetMs, value }];
  });
}
