import { dropLabels, keepLabels, labelsKey, labelValue, METRIC_NAME, type Labels } from '../model/labels.ts';
import { zeroColumns } from '../partial/algebra.ts';
import type { Partial, PartialColumns } from '../partial/partial.ts';
import type { Aggregate } from '../promql/ast.ts';
import { spend, type Usage } from './usage.ts';
import { anyPresent, assertCells, type RowSink } from './rows.ts';

/** The state of one group of an aggregation. */
export interface Group {
  readonly labels: Labels;
  readonly columns: PartialColumns;
}

/** The group that a series falls into. */
export interface Grouping {
  /** Its label set. */
  labels(labels: Labels): Labels;
  /** A string that is equal for series of one group only, and the same for the group's own label set. */
  key(labels: Labels): string;
}

export function groupingOf(node: Pick<Aggregate, 'grouping' | 'without'>): Grouping {
  const names = new Set(node.grouping);
  if (node.without) {
    names.add(METRIC_NAME);
    return groupingBy((labels) => dropLabels(labels, names));
  }
  // One label, or none, as most have it: then no label set is made to find the group.
  const [only] = names;
  if (only === undefined) return { labels: () => [], key: () => '' };
  if (names.size === 1)
    return { labels: (labels) => keepLabels(labels, names), key: (labels) => labelValue(labels, only) };
  return groupingBy((labels) => keepLabels(labels, names));
}

/** Label sets that are those of groups already. */
export const GROUPED: Grouping = groupingBy((labels) => labels);

function groupingBy(labelsOfGroup: (labels: Labels) => Labels): Grouping {
  return { labels: labelsOfGroup, key: (labels) => labelsKey(labelsOfGroup(labels)) };
}

/** Groups of an aggregation, filled row by row or merged from the groups of others. */
export interface Groups {
  /** Takes in a series. */
  readonly add: RowSink;
  merge(group: Group): void;
  list(): Group[];
  /** The aggregation's values. */
  finish(usage: Usage, sink: RowSink): void;
}

export function startGroups(partial: Partial, steps: number, grouping: Grouping): Groups {
  const groups = new Map<string, Group>();

  function groupOf(labels: Labels): Group {
    const key = grouping.key(labels);
    let group = groups.get(key);
    if (group === undefined) {
      group = { labels: grouping.labels(labels), columns: zeroColumns(partial, steps) };
      groups.set(key, group);
      assertCells(groups.size * steps * (partial.fields.length + 1));
    }
    return group;
  }

  return {
    add: (labels, values, present) => partial.add(groupOf(labels).columns, values, present),
    merge: (group) => partial.merge(groupOf(group.labels).columns, group.columns),
    list: () => [...groups.values()],
    finish(usage, sink) {
      const values = new Float64Array(steps);
      for (const { labels, columns } of groups.values()) {
        spend(usage, steps);
        if (!anyPresent(columns.present)) continue;
        partial.finish(columns, values);
        sink(labels, values, columns.present, undefined);
      }
    },
  };
}
