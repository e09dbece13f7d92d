import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import type { MessageBounds } from '../../base/proto.ts';
import type { StepGrid } from '../../model/grid.ts';
import type { TimeRange } from '../read-range.ts';
import { assertGrid } from './fragment-codec.ts';
import { decodeRanges, rangesBytes } from './ranges-codec.ts';

/** Times of a metric that the steps of a query read, both included. */
export interface CoverageRead {
  /** As the selector spells it out; empty for any. */
  readonly metric: string;
  /** Relative to each step, or, where they are `fixed`, since the epoch. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly fixed: boolean;
}

/** How complete is what the steps of `grid` read? */
export interface CoverageQuestion {
  readonly grid: StepGrid;
  readonly reads: readonly CoverageRead[];
}

/** So many steps one after the other at which so many of the expected streams were observed. */
export interface CoverageRun {
  readonly steps: number;
  readonly observed: number;
  readonly expected: number;
}

/** The answer to a question: the steps of its runs add up to those of its grid. */
export interface CoverageRuns {
  readonly runs: readonly CoverageRun[];
  /** Whether the policy may suppress small groups of what is read, whatever it did. */
  readonly suppressible: boolean;
}

/** The last change of settled times that a hub knows of. */
export interface LateKnown {
  readonly epoch: string;
  readonly sequence: number;
}

/** What a hub knows at first. */
export const NOTHING_KNOWN: LateKnown = { epoch: '', sequence: 0 };

/** What changed in settled times after what a hub knew. */
export interface LateTold {
  readonly epoch: string;
  /** To ask with the next time. */
  readonly sequence: number;
  /** The changes are not known: all that was kept has to go, and there are no intervals. */
  readonly everything: boolean;
  /** Ascending and apart. */
  readonly intervals: readonly TimeRange[];
}

/** The messages of proto/federation.proto. */
export interface CoverageQuestionMessage {
  grid: StepGrid | null;
  reads: readonly CoverageRead[];
}

export interface CoverageAnswerMessage {
  steps: number[];
  observed: number[];
  expected: number[];
  suppressible: boolean;
}

export interface LateMessage {
  epoch: string;
  sequence: number;
  everything: boolean;
  fromMs: number[];
  toMs: number[];
}

/** Of a CoverageQuestion. */
export const questionBounds: MessageBounds = {
  fields: 1 + LIMITS.coverageReads,
  nested: { 2: { fields: 4, bytes: { 1: LIMITS.labelBytes } } },
};

/** Of a CoverageAnswer: lists are packed, at most five bytes a number. */
export const coverageBounds: MessageBounds = {
  fields: 4,
  bytes: { 1: LIMITS.coverageRuns * 5, 2: LIMITS.coverageRuns * 5, 3: LIMITS.coverageRuns * 5 },
};

/** Of a Late. */
export const lateBounds: MessageBounds = {
  fields: 5,
  bytes: { 4: rangesBytes(LIMITS.lateIntervals), 5: rangesBytes(LIMITS.lateIntervals) },
};

/** What is within its bounds. Throws `bad_data`. */
export function decodeQuestions(messages: readonly CoverageQuestionMessage[]): readonly CoverageQuestion[] {
  return messages.map(({ grid, reads }) => {
    assertGrid(grid, 'CoverageQuestion');
    for (const { fromMs, toMs } of reads) {
      if (!Number.isSafeInteger(fromMs) || !Number.isSafeInteger(toMs) || fromMs > toMs) {
        throw broken('CoverageRead', 'its times');
      }
    }
    return { grid, reads };
  });
}

/** Throws `bad_data`. An absent message is that of a hub that knows nothing. */
export function decodeKnown(message: LateKnown | null): LateKnown {
  if (message === null) return NOTHING_KNOWN;
  assertMark(message, 'Since');
  return message;
}

/** Throws `limit` for more runs than an answer may have: whoever counts has to join some before. */
export function encodeCoverage(coverage: readonly CoverageRuns[]): CoverageAnswerMessage[] {
  const runs = coverage.reduce((total, one) => total + one.runs.length, 0);
  if (runs > LIMITS.coverageRuns) throw new ComityError('limit', `an answer with over ${LIMITS.coverageRuns} runs`);
  return coverage.map((one) => ({
    steps: one.runs.map(({ steps }) => steps),
    observed: one.runs.map(({ observed }) => observed),
    expected: one.runs.map(({ expected }) => expected),
    suppressible: one.suppressible,
  }));
}

/** Throws `bad_data` for coverage that does not fit the questions. */
export function decodeCoverage(
  messages: readonly CoverageAnswerMessage[],
  questions: readonly CoverageQuestion[],
): readonly CoverageRuns[] {
  if (messages.length !== questions.length) throw broken('QueryAnswer', 'number of coverages');
  const total = messages.reduce((sum, { steps }) => sum + steps.length, 0);
  if (total > LIMITS.coverageRuns) throw broken('CoverageAnswer', 'too many runs');
  return messages.map((message, index) => ({
    runs: readRuns(message, questions[index]!.grid.steps),
    suppressible: message.suppressible,
  }));
}

export function encodeLate({ epoch, sequence, everything, intervals }: LateTold): LateMessage {
  return {
    epoch,
    sequence,
    everything,
    fromMs: intervals.map(({ fromMs }) => fromMs),
    toMs: intervals.map(({ toMs }) => toMs),
  };
}

/** Throws `bad_data` for what no agent tells. */
export function decodeLate(message: LateMessage | null): LateTold | undefined {
  if (message === null) return undefined;
  assertMark(message, 'Late');
  const { epoch, sequence, everything, fromMs, toMs } = message;
  if (epoch === '') throw broken('Late', 'its epoch');
  const intervals = decodeRanges(fromMs, toMs, LIMITS.lateIntervals, 'Late');
  if (everything && intervals.length > 0) throw broken('Late', 'everything, and some of it');
  return { epoch, sequence, everything, intervals };
}

/** Agents name their epochs by 16 digits. */
const EPOCH_CHARS_MAX = 64;

function assertMark({ epoch, sequence }: LateKnown, message: string): void {
  if (epoch.length > EPOCH_CHARS_MAX) throw broken(message, 'its epoch');
  if (!Number.isSafeInteger(sequence) || sequence < 0) throw broken(message, 'its sequence');
}

function readRuns({ steps, observed, expected }: CoverageAnswerMessage, all: number): readonly CoverageRun[] {
  if (observed.length !== steps.length || expected.length !== steps.length) throw broken('CoverageAnswer', 'its lists');
  let left = all;
  const runs = steps.map((length, at) => {
    const run = { steps: length, observed: observed[at]!, expected: expected[at]! };
    left -= length;
    if (length === 0 || left < 0) throw broken('CoverageAnswer', 'its steps');
    if (run.observed > run.expected) throw broken('CoverageAnswer', 'more streams than are expected');
    return run;
  });
  if (left !== 0) throw broken('CoverageAnswer', 'its steps');
  return runs;
}

function broken(message: string, what: string): ComityError {
  return new ComityError('bad_data', `malformed ${message}: ${what}`);
}
