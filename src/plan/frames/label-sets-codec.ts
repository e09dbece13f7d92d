import { LIMITS } from '../../base/limits.ts';
import type { MessageBounds } from '../../base/proto.ts';
import type { Labels } from '../../model/labels.ts';
import { broken } from './blocks.ts';

/** The LabelSets message of proto/federation.proto, whose fields Columns has as well: each text once. */
export interface LabelSetsMessage {
  strings: string[];
  pairs: number[];
  labels: number[];
}

export function encodeLabelSets(sets: readonly Labels[]): LabelSetsMessage {
  const strings = new Map<string, number>();
  const pairs: number[] = [];
  const labels: number[] = [];
  for (const set of sets) {
    pairs.push(set.length / 2);
    for (const text of set) {
      let index = strings.get(text);
      if (index === undefined) strings.set(text, (index = strings.size));
      labels.push(index);
    }
  }
  return { strings: [...strings.keys()], pairs, labels };
}

/** Throws `bad_data` for what are no label sets: no text is empty, and names ascend. */
export function decodeLabelSets({ strings, pairs, labels }: Readonly<LabelSetsMessage>): Labels[] {
  let at = 0;
  const sets = pairs.map((count) => {
    const set: string[] = [];
    for (let i = 0; i < count * 2; i++) {
      const text = strings[labels[at++]!];
      if (text === undefined) throw broken('label index');
      if (text === '' || text.length > LIMITS.labelBytes) throw broken('label length');
      if (i % 2 === 0 && i > 0 && !(text > set[i - 2]!)) throw broken('label order');
      set.push(text);
    }
    return set;
  });
  if (at !== labels.length) throw broken('label count');
  return sets;
}

/** The LabelSets message, by the field numbers of proto/federation.proto, for at most `sets` of them. */
export function labelSetsBounds(sets: number): MessageBounds {
  // Some new texts for each set; ten labels a set, with indices of up to three bytes.
  return {
    fields: sets * 5 + 32,
    bytes: { 1: LIMITS.labelBytes, 2: sets * 2, 3: sets * 10 * 2 * 3 },
    counts: { 2: 1, 3: 1 },
  };
}
