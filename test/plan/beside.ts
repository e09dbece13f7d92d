import { NOTHING_KNOWN } from '../../src/plan/frames/coverage-codec.ts';

/** The id of every request of tests that do not look at it. */
export const REQUEST_ID = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

/** What a request has beside its fragments where only these matter. */
export const ASKED_BESIDE = { coverage: [], since: NOTHING_KNOWN, id: REQUEST_ID } as const;

/** What an answer to such a request has beside them. */
export const ANSWERED_BESIDE = { coverage: [], late: undefined, id: REQUEST_ID } as const;
