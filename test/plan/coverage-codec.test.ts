import { describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/base/limits.ts';
import { messageCodec } from '../../src/base/proto.ts';
import type { CoverageQuestion, CoverageRuns } from '../../src/plan/frames/coverage-codec.ts';
import { decodeExplainAnswer } from '../../src/plan/frames/explain-codec.ts';
import { decodeLabelsAnswer, decodeLabelsRequest } from '../../src/plan/frames/labels-codec.ts';
import {
  decodeQueryAnswer,
  decodeQueryRequest,
  encodeQueryAnswer,
  encodeQueryRequest,
} from '../../src/plan/frames/query-codec.ts';
import { assertAnswerTo, newRequestId } from '../../src/plan/frames/request-id.ts';
import { decodeErrorAnswer, decodeStatusAnswer, encodeStatus } from '../../src/plan/frames/status-codec.ts';
import { FEDERATION_VERSION } from '../../src/plan/frames/version.ts';
import { NO_FEATURES } from '../../src/promql/features.ts';
import { randomFrom } from '../random.ts';
import { ANSWERED_BESIDE, ASKED_BESIDE, REQUEST_ID } from './beside.ts';
import { randomBeside, STATUS } from './random-frames.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const codec = (message: string) => messageCodec<object>('federation.proto', `comity.federation.v1.${message}`);
const version = FEDERATION_VERSION;
const status = encodeStatus(STATUS);
const id = REQUEST_ID;
const GRID = { startMs: 0, stepMs: 1_000, steps: 10 };
const QUESTION: CoverageQuestion = { grid: GRID, reads: [] };
const many = <T>(count: number, one: T): T[] => Array.from({ length: count }, () => one);

describe('a request', () => {
  const request = { lookbackMs: 1, timeLeftMs: 1, features: NO_FEATURES, fragments: [] };

  it(`says the same on both sides beside its fragments, which may be none (seed ${SEED})`, () => {
    for (let index = 0; index < 200; index++) {
      const beside = randomBeside(randomFrom(SEED).fork(index));
      expect(decodeQueryRequest(encodeQueryRequest({ ...request, ...beside }))).toEqual({ ...request, ...beside });
    }
  });

  const read = { metric: 'x', fromMs: -1, toMs: 0, fixed: false };
  const asking = (more: object) =>
    decodeQueryRequest(codec('QueryRequest').encode({ version, lookbackMs: 1, timeLeftMs: 1, id, ...more }));
  const coverage = (...questions: object[]) => asking({ coverage: questions });

  it.each<[string, () => unknown, RegExp]>([
    ['no id', () => asking({ id: [] }), /its id/],
    ['a short id', () => asking({ id: [1, 2, 3] }), /its id/],
    ['a long id', () => asking({ id: many(9, 1) }), /its id/],
    ['too many questions', () => coverage(...many(LIMITS.coverageQuestions + 1, QUESTION)), /too many/],
    ['too many reads', () => coverage({ grid: GRID, reads: many(LIMITS.coverageReads + 1, read) }), /too many/],
    ['no grid', () => coverage({ reads: [] }), /CoverageQuestion: its grid/],
    ['no steps', () => coverage({ grid: { ...GRID, steps: 0 } }), /CoverageQuestion: its grid/],
    ['too many steps', () => coverage({ grid: { ...GRID, steps: 610_001 } }), /CoverageQuestion: its grid/],
    ['a read that ends before it starts', () => coverage({ grid: GRID, reads: [{ ...read, toMs: -2 }] }), /its times/],
    ['a start that none can be', () => coverage({ grid: GRID, reads: [{ ...read, fromMs: -(2 ** 60) }] }), /its times/],
    ['an end that none can be', () => coverage({ grid: GRID, reads: [{ ...read, toMs: 2 ** 60 }] }), /its times/],
    ['a long name', () => coverage({ grid: GRID, reads: [{ ...read, metric: 'x'.repeat(4_097) }] }), /too many/],
    ['a long epoch', () => asking({ since: { epoch: 'e'.repeat(65), sequence: 1 } }), /Since: its epoch/],
    ['a negative sequence', () => asking({ since: { epoch: 'e', sequence: -1 } }), /Since: its sequence/],
    ['a sequence that none can be', () => asking({ since: { epoch: 'e', sequence: 2 ** 60 } }), /Since: its sequence/],
  ])('with %s is refused', (_what, decode, reason) => expect(decode).toThrow(reason));

  it('as large as it may be is read', () => {
    const largest = { grid: GRID, reads: many(LIMITS.coverageReads, read) };
    expect(coverage(...many(LIMITS.coverageQuestions, largest)).coverage[15]!.reads).toHaveLength(256);
  });

  it('for labels has an id', () => {
    expect(() => decodeLabelsRequest(codec('LabelsRequest').encode({ version }))).toThrow(/its id/);
  });
});

describe('an id', () => {
  it('is another each time', () => {
    const ids = new Set(many(1_000, 0).map(() => Buffer.from(newRequestId()).toString('hex')));
    expect(ids.size).toBe(1_000);
    expect([...ids].every((one) => one.length === 16)).toBe(true);
  });

  it('of another request is not answered', () => {
    const other = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 9);
    const asked = { ...ASKED_BESIDE, fragments: [], limit: 1 };
    const base = { version, status, id: other };
    for (const decode of [
      () => decodeQueryAnswer(codec('QueryAnswer').encode(base), asked),
      () => decodeExplainAnswer(codec('ExplainAnswer').encode(base), asked),
      () => decodeLabelsAnswer(codec('LabelsAnswer').encode(base), asked),
      () => assertAnswerTo(REQUEST_ID, REQUEST_ID.subarray(1)),
      () => assertAnswerTo(REQUEST_ID, new Uint8Array(0)),
    ]) {
      expect(decode).toThrow(expect.objectContaining({ code: 'bad_data', message: 'it answered another request' }));
    }
  });
});

describe('an answer', () => {
  const answering = (more: object, questions: readonly CoverageQuestion[] = [QUESTION]) =>
    decodeQueryAnswer(codec('QueryAnswer').encode({ version, status, id, ...more }), {
      ...ASKED_BESIDE,
      fragments: [],
      coverage: questions,
    });
  const runs = (steps: number[], observed: number[], expected: number[]) =>
    answering({ coverage: [{ steps, observed, expected }] });
  const late = (more: object) => answering({ late: { epoch: 'e', sequence: 1, ...more } }, []);

  it.each<[string, () => unknown, RegExp]>([
    ['no coverage', () => answering({}), /number of coverages/],
    ['coverage that was not asked for', () => answering({ coverage: [{}] }, []), /too many fields/],
    ['more coverage than asked for', () => answering({ coverage: [{}, {}] }), /too many fields/],
    ['too few steps', () => runs([9], [1], [1]), /its steps/],
    ['too many steps', () => runs([9, 2], [1, 1], [1, 1]), /its steps/],
    ['no steps', () => runs([], [], []), /its steps/],
    ['a run of no steps', () => runs([10, 0], [1, 1], [1, 1]), /its steps/],
    ['more observed than expected', () => runs([10], [2], [1]), /more streams than are expected/],
    ['a list too short', () => runs([5, 5], [1], [1, 1]), /its lists/],
    ['a list too long', () => runs([10], [1], [1, 1]), /its lists/],
    ['times that are later than their ends', () => late({ fromMs: [2], toMs: [1] }), /not ascending/],
    ['times out of order', () => late({ fromMs: [5, 1], toMs: [6, 2] }), /not ascending/],
    ['times that meet', () => late({ fromMs: [1, 2], toMs: [2, 3] }), /not ascending/],
    ['starts without ends', () => late({ fromMs: [1, 5], toMs: [2] }), /lists of times/],
    ['times that none can be', () => late({ fromMs: [-(2 ** 60)], toMs: [2] }), /none can be/],
    ['ends that none can be', () => late({ fromMs: [0], toMs: [2 ** 60] }), /none can be/],
    ['everything and something', () => late({ everything: true, fromMs: [1], toMs: [2] }), /everything/],
    ['no epoch', () => late({ epoch: '' }), /its epoch/],
    ['a long epoch', () => late({ epoch: 'e'.repeat(65) }), /its epoch/],
    ['a negative sequence', () => late({ sequence: -1 }), /its sequence/],
  ])('with %s is refused', (_what, decode, reason) => expect(decode).toThrow(reason));

  it('of more intervals than an agent tells apart is refused', () => {
    const times = Array.from({ length: LIMITS.lateIntervals + 1 }, (_, i) => i * 2);
    const told = late({ fromMs: times.slice(1), toMs: times.slice(1) }).late;
    expect(told?.intervals).toHaveLength(LIMITS.lateIntervals);
    expect(() => late({ fromMs: times, toMs: times })).toThrow(/too many times/);
  });

  it('of more runs than a hub keeps is neither made nor read', () => {
    const all = LIMITS.coverageRuns;
    const question = { grid: { ...GRID, steps: all / 2 }, reads: [] };
    const ones = many(all / 2, 1);
    const half = { steps: ones, observed: ones, expected: ones };
    expect(answering({ coverage: [half, half] }, [question, question]).coverage[1]!.runs).toHaveLength(all / 2);
    expect(() => answering({ coverage: [half, half, half] }, many(3, question))).toThrow(/too many runs/);
    const made: CoverageRuns = { runs: many(all / 2, { steps: 1, observed: 1, expected: 1 }), suppressible: false };
    const encode = (count: number) =>
      encodeQueryAnswer({ ...ANSWERED_BESIDE, status: STATUS, fragments: [], coverage: many(count, made) }, []);
    expect(encode(2).length).toBeGreaterThan(all);
    expect(() => encode(3)).toThrow(expect.objectContaining({ code: 'limit' }));
  });

  it('of lists that are longer than any is refused before objects are made of them', () => {
    const field = (number: number, bytes: Uint8Array) => {
      const length = codec('AnyMessage').encode({ version: bytes.length }).subarray(1);
      return Buffer.concat([Uint8Array.of((number << 3) | 2), length, bytes]);
    };
    const long = field(4, field(1, new Uint8Array(LIMITS.coverageRuns * 5 + 1)));
    const asked = { ...ASKED_BESIDE, fragments: [], coverage: [QUESTION] };
    const head = codec('QueryAnswer').encode({ version, status, id });
    expect(() => decodeQueryAnswer(Buffer.concat([head, long]), asked)).toThrow(/too many fields/);
    const lists = Buffer.concat(many(5, field(1, Uint8Array.of(1))));
    expect(() => decodeQueryAnswer(Buffer.concat([head, field(4, lists)]), asked)).toThrow(/too many fields/);
    const times = field(5, field(4, new Uint8Array(LIMITS.lateIntervals * 10 + 1)));
    expect(() => decodeQueryAnswer(Buffer.concat([head, times]), asked)).toThrow(/too many fields/);
  });
});

describe('a status', () => {
  const saying = (more: object) =>
    decodeStatusAnswer(codec('StatusAnswer').encode({ version, status: { ...status, ...more }, id }), { id }).status;

  it.each<[string, object, RegExp]>([
    ['more streams than are expected', { observedStreams: 4 }, /more streams/],
    ['a settled time that none can be', { settledUntilMs: 2 ** 60 }, /times that none can be/],
    ['a settled time before all times', { settledUntilMs: -1 }, /times that none can be/],
    ['a start that none can be', { heldFromMs: -(2 ** 60) }, /times that none can be/],
    ['a negative number of bytes held', { rawBytesHeld: -1 }, /numbers of bytes/],
    ['a negative number of bytes released', { releasedBytes: -1 }, /numbers of bytes/],
    ['a long name', { domain: 'd'.repeat(4_097) }, /too many fields/],
    ['a long digest', { policyDigest: 'd'.repeat(4_097) }, /too many fields/],
    ['gaps out of order', { gapFromMs: [5, 1], gapToMs: [6, 2] }, /not ascending/],
    ['gaps without ends', { gapFromMs: [5], gapToMs: [] }, /lists of times/],
    ['many gaps', { gapFromMs: many(33, 1), gapToMs: many(33, 1) }, /too many times/],
    ['a thousand gaps that begin', { gapFromMs: many(1_000, 1) }, /too many fields/],
    ['a thousand gaps that end', { gapToMs: many(1_000, 1) }, /too many fields/],
  ])('with %s is refused', (_what, more, reason) => expect(() => saying(more)).toThrow(reason));

  it('with as many gaps as there may be is read', () => {
    const times = Array.from({ length: LIMITS.agentGaps }, (_, i) => -(2 ** 52) + i * 2);
    expect(saying({ gapFromMs: times, gapToMs: times }).gaps).toHaveLength(LIMITS.agentGaps);
  });

  it('an error is not longer than its code', () => {
    const code = 'c'.repeat(1_024);
    expect(() => decodeErrorAnswer(codec('ErrorAnswer').encode({ version, code }))).toThrow(/its length/);
  });
});
