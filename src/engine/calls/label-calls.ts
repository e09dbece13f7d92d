import { RE2JS } from 're2js';
import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { labelValue, METRIC_NAME, withLabel } from '../../model/labels.ts';
import { regexCost } from '../../model/regex-cost.ts';
import { expandTemplate } from '../../model/relabel.ts';
import type { Call } from '../../promql/ast.ts';
import type { CallRows, Evaluation } from '../evaluation.ts';
import { mergeEqualRows, type RowSink } from '../rows.ts';
import { stringArgument } from './string-arguments.ts';

/** Functions that change labels and leave the values as they are. */
export const LABEL_CALLS: ReadonlyMap<string, CallRows> = new Map<string, CallRows>([
  ['label_replace', labelReplace],
  ['label_join', labelJoin],
]);

/** What the label gets in place of its value in these labels; undefined leaves it alone. */
type NewValue = (labelOf: (name: string) => string) => string | undefined;

function labelReplace(node: Call, evaluation: Evaluation, sink: RowSink): void {
  const [target, replacement, source, pattern] = node.args.slice(1).map(stringArgument) as [
    string,
    string,
    string,
    string,
  ];
  const match = compiled(pattern);
  if (!isLabelName(target)) throw failure(`invalid destination label name in label_replace(): ${target}`);
  // Few values stand in many series.
  const results = new Map<string, string | undefined>();
  relabelled(node, target, evaluation, sink, (labelOf) => {
    const value = labelOf(source);
    if (!results.has(value)) {
      const group = match(value);
      if (results.size >= RESULTS_KEPT) results.clear();
      results.set(value, group === undefined ? undefined : expandTemplate(replacement, group));
    }
    return results.get(value);
  });
}

const RESULTS_KEPT = 10_000;

function labelJoin(node: Call, evaluation: Evaluation, sink: RowSink): void {
  const [target, separator, ...sources] = node.args.slice(1).map(stringArgument) as [string, string, ...string[]];
  const invalid = sources.find((source) => !isLabelName(source));
  if (invalid !== undefined) throw failure(`invalid source label name in label_join(): ${invalid}`);
  if (!isLabelName(target)) throw failure(`invalid destination label name in label_join(): ${target}`);
  relabelled(node, target, evaluation, sink, (labelOf) => sources.map(labelOf).join(separator));
}

/** The rows of the first argument, each with its new value of one label. A name that is given anew is there to stay. */
function relabelled(node: Call, target: string, evaluation: Evaluation, sink: RowSink, newValue: NewValue): void {
  const merged = mergeEqualRows(false, evaluation.usage);
  evaluation.rows(node.args[0]!, (row) => {
    const value = newValue((name) => labelValue(row.labels, name));
    if (value === undefined) return merged.sink(row);
    const dropsName = target === METRIC_NAME ? false : row.dropsName;
    merged.sink({ ...row, labels: withLabel(row.labels, target, value), dropsName });
  });
  merged.drain(sink);
}

/** What a group of a match stands for, by its name or its number; nothing where there is no such group. */
type Group = (name: string, index: number | undefined) => string;

/** The groups where all of a text matches. Linear time in the text; throws `limit` when all the texts are too much. */
function compiled(pattern: string): (text: string) => Group | undefined {
  const cost = regexCost(pattern);
  if (cost > LIMITS.regexCost) throw tooMuch('is too large (regexCost)');
  let regex: RE2JS;
  try {
    regex = RE2JS.compile(`^(?s:${pattern})$`);
  } catch {
    throw failure(`invalid regular expression in label_replace(): ${pattern}`);
  }
  const names = regex.namedGroups();
  let work = 0;
  return (text) => {
    work += cost * (text.length + 1);
    if (work > LIMITS.regexWork) throw tooMuch('takes too long (regexWork)');
    const matcher = regex.matcher(text);
    if (!matcher.find()) return undefined;
    return (name, index) => {
      const group = index ?? (Object.hasOwn(names, name) ? names[name]! : -1);
      return group >= 0 && group <= matcher.groupCount() ? (matcher.group(group) ?? '') : '';
    };
  };
}

function isLabelName(name: string): boolean {
  return name !== '' && name.isWellFormed();
}

function failure(message: string): ComityError {
  return new ComityError('execution', message.toWellFormed());
}

function tooMuch(what: string): ComityError {
  return new ComityError('limit', `the regular expression in label_replace() ${what}`);
}
