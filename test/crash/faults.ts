import type { Edit } from '../../src/federationtest/plant-edits.ts';

interface Fault {
  readonly what: string;
  readonly edits: readonly Edit[];
}

/** Faults of durability that stores have had for real; the crash test must find each of them. */
export const FAULTS = {
  'ack-first': {
    what: 'senders get their reply before the record is written',
    edits: [
      {
        file: 'src/shard/append-queue.ts',
        find: 'underWay ??= new Promise<void>((next) => setImmediate(next)).then(flush);',
        replace: `
          resolve({ stored: batch.times.length, repeated: 0, rejected: new Map(), histograms: 0, exemplars: 0 });
          underWay ??= new Promise<void>((next) => setTimeout(next, 20)).then(flush);`,
      },
    ],
  },
  'forget-deliveries': {
    what: 'what a request added is stored, but not that it was this request',
    edits: [
      {
        file: 'src/store/append.ts',
        find: 'if (batch.delivery !== undefined && stores) deliveries.stage(batch.delivery, points.rejected);',
        replace: '',
      },
    ],
  },
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof FAULTS;
export const FAULT_NAMES = Object.keys(FAULTS) as readonly FaultName[];
