import { describe, expect, test } from 'vitest';
import { BundleError } from '../../src/policy/bundle.ts';
import { offeredBundle, restoredBundle, type AcceptedBundle, type BundleMark } from '../../src/policy/bundle-chain.ts';
import { bundleAfter, newSigners, type MadeBundle } from './bundles.ts';

const { compliance, operator, stranger, keys } = newSigners();
const TAKER = { domain: 'eu', domainLabel: 'domain', keys };
const NOW = Date.UTC(2026, 5, 1);
const SUM_COUNT = 'version: 1\ndomain: eu\nmetrics: [{match: up, operators: [sum, count]}]\n';
const SUM = 'version: 1\ndomain: eu\nmetrics: [{match: up, operators: [sum]}]\n';
const OPEN = 'version: 1\ndomain: eu\nmetrics: [{match: up, class: open}]\n';

const FIRST = bundleAfter(undefined, SUM_COUNT, [compliance]);

/** What becomes of an offer: its kind, or the fault of the bundle. */
function offer(made: MadeBundle, before?: AcceptedBundle, mark?: BundleMark, nowMs = NOW): string {
  try {
    return offeredBundle(made.text, before, mark, TAKER, nowMs).kind;
  } catch (error) {
    if (error instanceof BundleError) return error.fault;
    throw error;
  }
}

function accepted(made: MadeBundle, before?: AcceptedBundle): AcceptedBundle {
  const offered = offeredBundle(made.text, before, undefined, TAKER, NOW);
  if (offered.kind !== 'next') throw new Error(`it is ${offered.kind}`);
  return offered.accepted;
}

describe('the next bundle', () => {
  const before = accepted(FIRST);

  test.for<[string, MadeBundle, string]>([
    ['itself', FIRST, 'in force'],
    ['a stricter one of an operator', bundleAfter(FIRST, SUM, [operator]), 'next'],
    ['the same documents once more', bundleAfter(FIRST, SUM_COUNT, [operator]), 'next'],
    ['a looser one of an operator', bundleAfter(FIRST, OPEN, [operator]), 'loosening'],
    ['a looser one of compliance', bundleAfter(FIRST, OPEN, [compliance]), 'next'],
    ['a looser one of both', bundleAfter(FIRST, OPEN, [operator, compliance]), 'next'],
    [
      'one without the document of the domain',
      bundleAfter(FIRST, '', [operator], { documents: { domains: {} } }),
      'loosening',
    ],
    [
      'a later end, by an operator',
      bundleAfter(FIRST, SUM, [operator], { expires: '2027-01-02T00:00:00Z' }),
      'loosening',
    ],
    ['a later end, by compliance', bundleAfter(FIRST, SUM, [compliance], { expires: '2027-01-02T00:00:00Z' }), 'next'],
    ['one that has expired', bundleAfter(FIRST, SUM, [compliance], { expires: '2026-05-01T00:00:00Z' }), 'expired'],
    ['the same version again', { ...bundleAfter(undefined, SUM, [compliance]) }, 'version'],
    ['one that follows another', bundleAfter({ ...FIRST, digest: '0'.repeat(64) }, SUM, [compliance]), 'previous'],
    ['one after the next', bundleAfter(bundleAfter(FIRST, SUM, [compliance]), SUM, [compliance]), 'previous'],
    ['one of a stranger', bundleAfter(FIRST, SUM, [stranger]), 'signature'],
    ['documents that cannot be read', bundleAfter(FIRST, 'version: 1\ndomain: us\n', [compliance]), 'policy'],
    ['a candidate, whatever it lets out', bundleAfter(FIRST, OPEN, [operator], { canary: true }), 'candidate'],
    ['a candidate of a stranger', bundleAfter(FIRST, OPEN, [stranger], { canary: true }), 'signature'],
    ['a rollback by an operator', bundleAfter(FIRST, SUM, [operator], { rollback_to: 'a'.repeat(64) }), 'rollback'],
  ])('%s', ([, made, want]) => {
    expect(offer(made, before)).toBe(want);
  });

  test('is judged whatever other documents say: silence where there was a word lets others speak', () => {
    const said = accepted(
      bundleAfter(FIRST, 'version: 1\ndomain: eu\nlabels: {permit: [pod]}\n', [compliance]),
      before,
    );
    const silent = bundleAfter(
      { text: said.text, digest: said.bundle.digest, version: 2 },
      'version: 1\ndomain: eu\n',
      [operator],
    );
    expect(offer(silent, said)).toBe('loosening');
  });
});

describe('the first bundle', () => {
  test.for<[string, MadeBundle, string]>([
    ['of compliance', FIRST, 'next'],
    ['of an operator', bundleAfter(undefined, SUM, [operator]), 'loosening'],
    ['of a later version', bundleAfter(bundleAfter(FIRST, SUM, [operator]), SUM, [compliance]), 'next'],
  ])('%s', ([, made, want]) => {
    expect(offer(made)).toBe(want);
  });

  test('after one that is lost', () => {
    const second = bundleAfter(FIRST, SUM, [operator, compliance]);
    const mark = { version: 2, digest: second.digest };
    expect(offer(FIRST, undefined, mark)).toBe('version');
    expect(offer(second, undefined, mark)).toBe('next');
    expect(offer(bundleAfter(FIRST, OPEN, [compliance]), undefined, mark)).toBe('version');
    expect(offer(bundleAfter(second, SUM, [compliance]), undefined, mark)).toBe('next');
    expect(offer(bundleAfter({ ...second, digest: '0'.repeat(64) }, SUM, [compliance]), undefined, mark)).toBe(
      'previous',
    );
    expect(offer(bundleAfter(bundleAfter(second, SUM, [operator]), SUM, [operator]), undefined, mark)).toBe(
      'loosening',
    );
    expect(offer(bundleAfter(bundleAfter(second, SUM, [operator]), SUM, [compliance]), undefined, mark)).toBe('next');
  });
});

describe('a rollback', () => {
  const first = accepted(FIRST);
  const secondMade = bundleAfter(FIRST, SUM, [operator]);
  const second = accepted(secondMade, first);
  const back = (changes: object, signers = [compliance]): string =>
    offer(bundleAfter(secondMade, SUM_COUNT, signers, changes), second);

  test('says to what, and compliance signs it', () => {
    expect(back({})).toBe('rollback');
    expect(back({ rollback_to: '0'.repeat(64) })).toBe('rollback');
    expect(back({ rollback_to: FIRST.digest }, [operator])).toBe('rollback');
    expect(back({ rollback_to: FIRST.digest })).toBe('next');
  });

  test('has the documents of the bundle that it names', () => {
    expect(offer(bundleAfter(secondMade, OPEN, [compliance], { rollback_to: FIRST.digest }), second)).toBe('rollback');
  });

  test('is known as one after others in between', () => {
    const thirdMade = bundleAfter(secondMade, OPEN, [compliance]);
    const third = accepted(thirdMade, second);
    expect(offer(bundleAfter(thirdMade, SUM, [compliance]), third)).toBe('rollback');
    expect(offer(bundleAfter(thirdMade, SUM, [compliance], { rollback_to: secondMade.digest }), third)).toBe('next');
  });
});

describe('what is kept over a restart', () => {
  const restore = (text: string, mark?: BundleMark): string => {
    try {
      restoredBundle(text, [], mark, TAKER);
      return 'kept';
    } catch (error) {
      if (error instanceof BundleError) return error.fault;
      throw error;
    }
  };

  test('is verified again', () => {
    expect(restore(FIRST.text)).toBe('kept');
    expect(restore(bundleAfter(undefined, SUM, [stranger]).text)).toBe('signature');
    expect(restore(FIRST.text.slice(1))).toBe('unreadable');
  });

  test('is not older than what is known to have been in force', () => {
    expect(restore(FIRST.text, { version: 1, digest: FIRST.digest })).toBe('kept');
    expect(restore(FIRST.text, { version: 1, digest: '0'.repeat(64) })).toBe('version');
    expect(restore(FIRST.text, { version: 2, digest: '0'.repeat(64) })).toBe('version');
  });
});
