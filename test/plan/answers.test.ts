import { describe, expect, it } from 'vitest';
import { messageCodec } from '../../src/base/proto.ts';
import { instantGrid } from '../../src/model/grid.ts';
import { distribute, type Fragment } from '../../src/plan/distribute.ts';
import { decodeExplainAnswer, encodeExplainAnswer, type ExplainAnswer } from '../../src/plan/frames/explain-codec.ts';
import type { AskedFragment } from '../../src/plan/frames/fragment-codec.ts';
import { decodeQueryAnswer, encodeQueryAnswer, type QueryAnswer } from '../../src/plan/frames/query-codec.ts';
import { preorder } from '../../src/plan/frames/preorder.ts';
import { decodeStatusAnswer, encodeStatus, encodeStatusAnswer } from '../../src/plan/frames/status-codec.ts';
import { FEDERATION_VERSION } from '../../src/plan/frames/version.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { randomFrom } from '../random.ts';
import { ANSWERED_BESIDE, ASKED_BESIDE, REQUEST_ID } from './beside.ts';
import { plainRow, randomAnswer, randomBeside, randomFragments, STATUS } from './random-frames.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const PACKAGE = 'comity.federation.v1';

/** What every answer has, as a message. */
const ANSWERED = { version: FEDERATION_VERSION, id: REQUEST_ID, status: encodeStatus(STATUS) };

/** Field 99, empty. */
const UNKNOWN_FIELD = Uint8Array.of(0x9a, 0x06, 0);

function requestFor(text: string): typeof ASKED_BESIDE & { readonly fragments: readonly Fragment[] } {
  const { fragments } = distribute(parseExpr(text), instantGrid(60_000), { domainLabel: 'domain' });
  return { ...ASKED_BESIDE, fragments };
}

describe('answers', () => {
  /** As the asker reads it: notes stand in its own text. */
  const expected = ({ fragments, ...rest }: QueryAnswer, asked: readonly Fragment[]) => ({
    ...rest,
    fragments: fragments.map((answer, index) => {
      if ('refusal' in answer) return answer;
      const nodes = preorder(asked[index]!.expr);
      const notes = answer.notes.map((note) => ({ ...note, span: nodes[note.span.start]!.span }));
      return { rows: answer.rows.map(plainRow), notes };
    }),
  });

  it(`come back as they went (seed ${SEED})`, () => {
    for (let index = 0; index < 400; index++) {
      const random = randomFrom(SEED).fork(index);
      const fragments = randomFragments(random);
      const beside = randomBeside(random);
      const answer = randomAnswer(random, fragments, beside);
      const bytes = encodeQueryAnswer(answer, fragments);
      const read = decodeQueryAnswer(bytes, { ...beside, fragments });
      const plain = read.fragments.map((one) => ('rows' in one ? { ...one, rows: one.rows.map(plainRow) } : one));
      expect({ ...read, fragments: plain }, `case ${index}`).toEqual(expected(answer, fragments));
      const again = read.fragments.map((one, i) => ('rows' in one ? { ...one, notes: notesOf(answer, i) } : one));
      expect(encodeQueryAnswer({ ...read, fragments: again }, fragments), `case ${index}`).toEqual(bytes);
    }
  });

  const notesOf = ({ fragments }: QueryAnswer, index: number) => {
    const answer = fragments[index]!;
    return 'notes' in answer ? answer.notes : [];
  };

  it('of a million empty fragments are refused before objects are made of them', () => {
    const bytes = new Uint8Array(2_000_000).map((_byte, i) => (i % 2 === 0 ? 0x1a : 0));
    bytes.set([0x08, FEDERATION_VERSION]);
    expect(() => decodeQueryAnswer(bytes, requestFor('sum(a)'))).toThrow(/too many fields/);
  });

  it('that do not fit the question are refused', () => {
    const request = requestFor('sum(x)');
    const answer = (fragments: QueryAnswer['fragments'], asked: readonly AskedFragment[] = request.fragments) =>
      decodeQueryAnswer(encodeQueryAnswer({ ...ANSWERED_BESIDE, status: STATUS, fragments }, asked), request);
    expect(() => answer([])).toThrow(/number of fragments/);
    expect(() => answer([{ refusal: { code: 'limit', name: '', node: 2 } }])).toThrow(/malformed Refusal/);
    expect(answer([{ refusal: { code: 'limit', name: '', node: 1 } }]).fragments).toEqual([
      { refusal: { code: 'limit', name: '', node: 1 } },
    ]);
    const note = (index: number) => ({
      level: 'warning' as const,
      code: 'sort_in_range_query' as const,
      args: [],
      span: { start: index, end: index + 1 },
    });
    expect(() => answer([{ rows: [], notes: [note(2)] }])).toThrow(/malformed Note: its node/);
    const many = Array.from({ length: 1_001 }, () => note(0));
    expect(() => answer([{ rows: [], notes: many.slice(1) }])).not.toThrow();
    expect(() => answer([{ rows: [], notes: [...many, ...many] }])).toThrow(/too many fields/);
    const more = Buffer.concat([
      encodeQueryAnswer({ ...ANSWERED_BESIDE, status: STATUS, fragments: [] }, []),
      UNKNOWN_FIELD,
    ]);
    expect(() => decodeQueryAnswer(more, { ...ASKED_BESIDE, fragments: [] })).toThrow('unknown QueryAnswer field 99');
  });

  it('a refusal says nothing beside itself', () => {
    const codec = messageCodec<object>('federation.proto', `${PACKAGE}.QueryAnswer`);
    const notes = [{ code: 'sort_in_range_query' }];
    const bytes = codec.encode({ ...ANSWERED, fragments: [{ refusal: { code: 'limit' }, notes }] });
    expect(() => decodeQueryAnswer(bytes, requestFor('x'))).toThrow(/notes beside a refusal/);
  });

  it('an unread fragment is answered with its refusal', () => {
    const refusal = { code: 'unsupported', name: 'function foo' } as const;
    const asked: AskedFragment[] = [{ answer: 'unread', refusal }];
    const bytes = encodeQueryAnswer({ ...ANSWERED_BESIDE, status: STATUS, fragments: [{ refusal }] }, asked);
    expect(decodeQueryAnswer(bytes, requestFor('x')).fragments).toEqual([{ refusal }]);
  });

  it('a code that this version does not know is shown as unsupported', () => {
    const codec = messageCodec<object>('federation.proto', `${PACKAGE}.QueryAnswer`);
    const bytes = codec.encode({ ...ANSWERED, fragments: [{ refusal: { code: 'on_holiday' } }] });
    expect(decodeQueryAnswer(bytes, requestFor('x')).fragments).toEqual([
      { refusal: { code: 'unsupported', name: 'on_holiday' } },
    ]);
  });

  it('verdicts come back as they went', () => {
    const request = requestFor('sum(a) + b');
    const answer: ExplainAnswer = {
      id: REQUEST_ID,
      status: STATUS,
      verdicts: [
        { rules: [{ metric: 'a', class: 'aggregate', rule: 'a*' }], series: 12 },
        { refusal: { code: 'class_aggregate', name: 'b', node: 0 } },
      ],
    };
    expect(decodeExplainAnswer(encodeExplainAnswer(answer), request)).toEqual(answer);
    const one = { ...answer, verdicts: answer.verdicts.slice(1) };
    expect(() => decodeExplainAnswer(encodeExplainAnswer(one), request)).toThrow(/number of verdicts/);
    const codec = messageCodec<object>('federation.proto', `${PACKAGE}.ExplainAnswer`);
    const says = (permission: object) =>
      decodeExplainAnswer(codec.encode({ ...ANSWERED, verdicts: [{ permission }] }), requestFor('x'));
    expect(() => says({ rules: [{ metric: 'a', class: 'secret', rule: '' }] })).toThrow(/class of a metric/);
    expect(() => says({ series: 2 ** 60 })).toThrow(/number of series/);
    expect(() => says({ rules: [{ metric: 'a'.repeat(5_000), class: 'open', rule: '' }] })).toThrow(/length of a rule/);
  });

  it('a status comes back as it went', () => {
    const answer = { status: STATUS, id: REQUEST_ID };
    expect(decodeStatusAnswer(encodeStatusAnswer(answer), answer)).toEqual(answer);
  });
});
