import type { Edit } from '../../src/federationtest/plant-edits.ts';

interface Fault {
  readonly what: string;
  readonly edits: readonly Edit[];
}

/** Mistakes that the soak must find. */
export const FAULTS = {
  'skip-tombstone': {
    what: 'compaction calls deletions erased, and leaves what they hid in the files',
    edits: [
      {
        file: 'src/store/upkeep.ts',
        find: 'return ref === undefined ? [] : tombstones.visible(ref, run);',
        replace: 'return ref === undefined ? [] : [run];',
      },
    ],
  },
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof FAULTS;
export const FAULT_NAMES = Object.keys(FAULTS) as readonly FaultName[];
