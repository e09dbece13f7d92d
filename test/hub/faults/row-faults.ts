import { dropLabels, METRIC_NAME, withLabel, type Labels } from '../../../src/model/labels.ts';
import type { Fragment } from '../../../src/plan/distribute.ts';
import type { AnswerRow } from '../../../src/plan/frames/columns-codec.ts';
import { decodeQueryAnswer, decodeQueryRequest, encodeQueryAnswer } from '../../../src/plan/frames/query-codec.ts';
import type { Random } from '../../random.ts';
import { saying, type Fault } from './fault.ts';
import { DOMAIN_LABEL } from './honest-domains.ts';

/**
 * Answers that can be read, with rows that the domain cannot have. `edit` gives the rows of a fragment that has some, or
 * undefined where it has nothing to change.
 */
function rows(
  name: string,
  edit: (rows: AnswerRow[], fragment: Fragment, random: Random) => AnswerRow[] | undefined,
  about = /./,
): Fault {
  return {
    name,
    isPlain: true,
    about,
    answer(asked) {
      if (asked.endpoint !== 'query') return undefined;
      const { fragments: read, ...request } = decodeQueryRequest(asked.body);
      const fragments = read.filter((one) => one.answer !== 'unread');
      const answer = decodeQueryAnswer(asked.honest.bytes, { ...request, fragments });
      let isChanged = false;
      const changed = answer.fragments.map((one, index) => {
        if (!('rows' in one) || one.rows.length === 0 || isChanged) return one;
        const next = edit([...one.rows], fragments[index]!, asked.random);
        isChanged = next !== undefined;
        return { rows: next ?? one.rows, notes: [] };
      });
      return isChanged ? saying(asked, encodeQueryAnswer({ ...answer, fragments: changed }, fragments)) : undefined;
    },
  };
}

/** Other labels of one row. */
const labels = (name: string, edit: (labels: Labels, fragment: Fragment) => Labels | undefined): Fault =>
  rows(name, (all, fragment) => {
    const changed = edit(all[0]!.labels, fragment);
    return changed && [{ ...all[0]!, labels: changed }, ...all.slice(1)];
  });

/** Other numbers in one cell of a partial of one of `ops`, or of sample times. */
const cell = (
  name: string,
  ops: readonly string[],
  edit: (set: (field: number, value: number) => void, at: (field: number) => number) => boolean | void,
): Fault =>
  rows(
    name,
    (all, { answer, expr }, random) => {
      const op = answer === 'partial' && expr.kind === 'aggregate' ? expr.op : answer;
      const { columns } = all[0]!;
      // Native histograms leave the floats beside them alone.
      if (!ops.includes(op) || columns.histograms !== undefined) return undefined;
      const steps = [...columns.present.keys()].filter((step) => columns.present[step] === 1);
      const step = random.pick(steps);
      const fields = columns.fields.map((values) => values.slice());
      const isDone = edit(
        (field, value) => void (fields[field]![step] = value),
        (field) => fields[field]![step]!,
      );
      return isDone === false ? undefined : [{ ...all[0]!, columns: { ...columns, fields } }, ...all.slice(1)];
    },
    new RegExp(`^(?:.*\\b)?(?:${ops.join('|').replace('timed', 'info')})\\b`),
  );

const isWhole = ({ answer }: Fragment): boolean => answer === 'vector' || answer === 'timed';

/** Counts that are none, and in which field an operator has its count. */
const COUNTS = [NaN, -1, 0, 0.5, 2 ** 33, Infinity, -Infinity];
const COUNTED = [
  ['count', 0],
  ['avg', 2],
  ['stddev', 0],
  ['stdvar', 0],
] as const;

export const ROW_FAULTS: readonly Fault[] = [
  labels('another domain’s series', (set, fragment) =>
    isWhole(fragment) ? withLabel(set, DOMAIN_LABEL, 'elsewhere') : undefined,
  ),
  labels('a series of no domain', (set, fragment) =>
    isWhole(fragment) ? dropLabels(set, new Set([DOMAIN_LABEL])) : undefined,
  ),
  labels('a group by what nobody asked for', (set, { answer, expr }) =>
    (answer === 'partial' || answer === 'sketch') && !expr.without ? withLabel(set, 'zone', 'z') : undefined,
  ),
  labels('a group by what was to go', (set, { answer, expr }) => {
    const [name] = answer === 'partial' && expr.without ? expr.grouping : [];
    return name === undefined ? undefined : withLabel(set, name, 'z');
  }),
  labels('a group with a name', (set, fragment) =>
    isWhole(fragment) || (fragment.answer === 'partial' && fragment.expr.grouping.includes(METRIC_NAME))
      ? undefined
      : withLabel(set, METRIC_NAME, 'x'),
  ),
  rows('one label set twice', (all) => [...all, all[0]!]),
  ...COUNTS.flatMap((count) =>
    COUNTED.map(([op, field]) => cell(`${op} of ${count}`, [op], (set) => set(field, count))),
  ),
  cell('an average that is half running', ['avg'], (set) => set(3, 0.5)),
  cell('an average that runs twice', ['avg'], (set) => set(3, 2)),
  cell('squares below 0', ['stddev', 'stdvar'], (set) => set(2, -1e-9)),
  cell('a rounding error without end', ['sum'], (set) => set(1, Infinity)),
  cell('a rounding error that is no number', ['sum'], (set) => set(1, NaN)),
  cell('a rounding error of an endless sum', ['sum'], (set) => {
    set(0, Infinity);
    set(1, 1);
  }),
  cell('a time without end', ['timed'], (set) => set(0, Infinity)),
  cell('a time between milliseconds', ['timed'], (set, at) => set(0, at(0) + 0.5)),
];
