import type { Partial } from './partial.ts';

/** `count`: the number of series that contributed. */
export const COUNT: Partial = {
  fields: ['count'],
  histograms: 'count',
  add(into, _values, present) {
    const counts = into.fields[0]!;
    for (let i = 0; i < present.length; i++) {
      counts[i]! += present[i]!;
      into.present[i]! |= present[i]!;
    }
  },
  merge(into, from) {
    const counts = into.fields[0]!;
    const others = from.fields[0]!;
    for (let i = 0; i < from.present.length; i++) {
      if (from.present[i] === 0) continue;
      counts[i]! += others[i]!;
      into.present[i] = 1;
    }
  },
  finish(columns, out) {
    out.set(columns.fields[0]!);
  },
};

/** `group`: 1 wherever any series contributed; presence is all there is to know. */
export const GROUP: Partial = {
  fields: [],
  histograms: 'count',
  add(into, _values, present) {
    for (let i = 0; i < present.length; i++) into.present[i]! |= present[i]!;
  },
  merge(into, from) {
    for (let i = 0; i < from.present.length; i++) into.present[i]! |= from.present[i]!;
  },
  finish(_columns, out) {
    out.fill(1);
  },
};
