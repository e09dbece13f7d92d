import { outputLabels } from '../model/input-label.ts';
import { IS_INPUT, type Head } from './head.ts';
import type { SeriesIndex } from './index/series-index.ts';

/**
 * Which inputs there are, and what they are added to; all by reference. Of an input only the last sample is kept, with its
 * time and value. No answer shows it, and no deletion matches it.
 */
export interface Inputs {
  readonly size: number;
  refs(): Iterable<number>;
  /** Notes an input, and its output where that is stored. */
  add(head: Head, index: SeriesIndex, ref: number): void;
  /** The output of an input; undefined while it is not stored. */
  outputOf(head: Head, ref: number): number | undefined;
  /** Notes the output of an input. */
  join(head: Head, ref: number, output: number): void;
  /** The inputs of an output. */
  of(output: number): Iterable<number>;
  /** Forgets a series that is no more, input or not. */
  forget(ref: number): void;
}

/** The id tells whether the reference has become another series' since. */
interface Output {
  readonly ref: number;
  readonly id: number;
}

export function noInputs(): Inputs {
  const outputs = new Map<number, Output | undefined>();
  const members = new Map<number, Set<number>>();

  function leave(ref: number): void {
    const output = outputs.get(ref);
    if (output === undefined) return;
    const own = members.get(output.ref);
    own?.delete(ref);
    if (own?.size === 0) members.delete(output.ref);
  }

  function join(head: Head, ref: number, output: number): void {
    leave(ref);
    outputs.set(ref, { ref: output, id: head.ids[output]! });
    const own = members.get(output);
    if (own === undefined) members.set(output, new Set([ref]));
    else own.add(ref);
  }

  return {
    get size() {
      return outputs.size;
    },
    refs: () => outputs.keys(),
    add(head, index, ref) {
      head.flags[ref]! |= IS_INPUT;
      head.hasInputs = true;
      outputs.set(ref, undefined);
      const output = index.find(outputLabels(index.labels(ref)));
      if (output !== undefined) join(head, ref, output);
    },
    outputOf(head, ref) {
      const output = outputs.get(ref);
      return output !== undefined && head.ids[output.ref] === output.id ? output.ref : undefined;
    },
    join,
    of: (output) => members.get(output) ?? [],
    forget(ref) {
      if (outputs.size === 0) return;
      leave(ref);
      outputs.delete(ref);
      // Its inputs find the next output by their labels.
      for (const input of members.get(ref) ?? []) outputs.set(input, undefined);
      members.delete(ref);
    },
  };
}

/** Some series without the inputs among them. */
export function withoutInputs(head: Head, refs: Uint32Array): Uint32Array {
  return head.hasInputs ? refs.filter((ref) => (head.flags[ref]! & IS_INPUT) === 0) : refs;
}
