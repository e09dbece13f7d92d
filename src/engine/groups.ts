import { dropLabels, keepLabels, labelsKey, METRIC_NAME, type Labels } from '../model/labels.ts';
import { zeroColumns } from '../partial/algebra.ts';
import type { Partial, PartialColumns } from '../partial/partial.ts';
import type { Aggregate } from '../promql/ast.ts';
import { anyPresent, assertCells, type RowSink } from './rows.ts';

/** The state of one group of an aggregation. */
export interface Group {
  readonly labels: Labels;
  readonly columns: PartialColumns;
}

/** The label set of the group that a series falls into. */
export function groupLabels(node: Pick<Aggregate, 'grouping' | 'without'>): (labels: Labels) => Labels {
  const names = new Set(node.grouping);
  if (!node.without) return (labels) => keepLabels(labels, names);
  names.add(METRIC_NAME);
  return (labels) => dropLabels(labels, names);
}

/** Groups of an aggregation, filled row by row or merged from the groups of others. */
export interface Groups {
  /** Takes in a series; its group follows from `labelsOfGroup`. */
  readonly add: RowSink;
  merge(group: Group): void;
  list(): Group[];
  /** The aggregation's values. */
  finish(sink: RowSink): void;
}

export function startGroups(partial: Partial, steps: number, labelsOfGroup: (labels: Labels) => Labels): Groups {
  const groups = new Map<string, Group>();

  function groupOf(labels: Labels): Group {
    const key = labelsKey(labels);
    let group = groups.get(key);
    if (group === undefined) {
      group = { labels, columns: zeroColumns(partial, steps) };
      groups.set(key, group);
      assertCells(groups.size * steps * (partial.fields.length + 1));
    }
    return group;
  }

  return {
    add: (labels, values, present) => partial.add(groupOf(labelsOfGroup(labels)).columns, values, present),
    merge: (group) => partial.merge(groupOf(group.labels).columns, group.columns),
    list: () => [...groups.values()],
    finish(sink) {
      const values = new Float64Array(steps);
      for (const { labels, columns } of groups.values()) {
        if (!anyPresent(columns.present)) continue;
        partial.finish(columns, values);
        sink(labels, values, columns.present, undefined);
      }
    },
  };
}
