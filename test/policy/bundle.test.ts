import { describe, expect, test } from 'vitest';
import { addSignatures, BundleError, readBundle, signersOf } from '../../src/policy/bundle.ts';
import { bundleAfter, newSigners } from './bundles.ts';

const SIGNERS = newSigners();
const { compliance, operator, stranger, keys } = SIGNERS;
const DOCUMENT = 'version: 1\ndomain: eu\n';
const MADE = bundleAfter(undefined, DOCUMENT, [operator]);

function faultOf(text: string): string {
  try {
    readBundle(text);
    return 'none';
  } catch (error) {
    if (error instanceof BundleError) return error.fault;
    throw error;
  }
}

/** The envelope with another payload, or other fields. */
function altered(change: (envelope: Record<string, unknown>, payload: Record<string, unknown>) => void): string {
  const envelope = JSON.parse(MADE.text) as Record<string, unknown>;
  const payload = JSON.parse(Buffer.from(envelope['payload'] as string, 'base64').toString()) as Record<
    string,
    unknown
  >;
  const before = JSON.stringify(payload);
  change(envelope, payload);
  if (JSON.stringify(payload) !== before) envelope['payload'] = Buffer.from(JSON.stringify(payload)).toString('base64');
  return JSON.stringify(envelope);
}

const inPayload = (json: string): string =>
  altered((envelope) => (envelope['payload'] = Buffer.from(json).toString('base64')));

describe('reading a bundle', () => {
  test('gives what was sealed', () => {
    const { bundle } = readBundle(MADE.text);
    expect(bundle).toMatchObject({
      version: 1,
      previous: '',
      rollbackTo: undefined,
      isCanary: false,
      global: undefined,
    });
    expect([...bundle.domains]).toEqual([['eu', DOCUMENT]]);
    expect(bundle.expiresMs).toBe(Date.UTC(2027, 0, 1));
  });

  test.for<[string, string, string]>([
    ['no JSON', 'policy', 'unreadable'],
    ['an empty text', '', 'unreadable'],
    ['a name twice in the envelope', MADE.text.replace('{', '{"payloadType":"x",'), 'unreadable'],
    ['a field that is not known', altered((envelope) => (envelope['extra'] = 1)), 'unreadable'],
    ['no signature', altered((envelope) => (envelope['signatures'] = [])), 'unreadable'],
    ['another payload type', altered((envelope) => (envelope['payloadType'] = 'application/json')), 'payload_type'],
    [
      'base64 in another spelling',
      altered((envelope) => (envelope['payload'] = `${String(envelope['payload'])}\n`)),
      'unreadable',
    ],
    ['a payload that is no JSON', inPayload('version: 1'), 'unreadable'],
    ['a name twice in the payload', inPayload('{"version":1,"version":2}'), 'unreadable'],
    ['a payload that is no UTF-8', altered((envelope) => (envelope['payload'] = '/w==')), 'unreadable'],
    ['a field of the payload that is not known', altered((_, payload) => (payload['extra'] = 1)), 'unreadable'],
    ['no version', altered((_, payload) => delete payload['version']), 'unreadable'],
    ['version 0', altered((_, payload) => (payload['version'] = 0)), 'unreadable'],
    ['a first one that follows another', altered((_, payload) => (payload['previous'] = MADE.digest)), 'unreadable'],
    ['a later one that follows none', altered((_, payload) => (payload['version'] = 2)), 'unreadable'],
    [
      'an end before the beginning',
      altered((_, payload) => (payload['expires'] = '2025-01-01T00:00:00Z')),
      'unreadable',
    ],
    ['a time that is none', altered((_, payload) => (payload['expires'] = '2027-13-01T00:00:00Z')), 'unreadable'],
    ['a time of a zone', altered((_, payload) => (payload['expires'] = '2027-01-01T00:00:00+02:00')), 'unreadable'],
    ['too many bytes', `${MADE.text}${' '.repeat(4 * 1024 * 1024)}`, 'unreadable'],
    ['deep nesting', '['.repeat(1_000_000) + ']'.repeat(1_000_000), 'unreadable'],
  ])('refuses %s', ([, text, fault]) => {
    expect(faultOf(text)).toBe(fault);
  });
});

describe('signatures', () => {
  const rolesOf = (text: string): string[] => signersOf(readBundle(text), keys).map(({ role }) => role);

  test('count by known keys alone', () => {
    expect(rolesOf(MADE.text)).toEqual(['operator']);
    expect(rolesOf(bundleAfter(undefined, DOCUMENT, [stranger]).text)).toEqual([]);
    expect(rolesOf(bundleAfter(undefined, DOCUMENT, [stranger, compliance]).text)).toEqual(['compliance']);
  });

  test('are added without a change of the digest', () => {
    const both = addSignatures(readBundle(MADE.text), [compliance]);
    expect(rolesOf(both)).toEqual(['compliance', 'operator']);
    expect(readBundle(both).bundle.digest).toBe(MADE.digest);
  });

  test('are of the payload: with another one they do not count', () => {
    expect(rolesOf(altered((_, payload) => (payload['expires'] = '2028-01-01T00:00:00Z')))).toEqual([]);
  });

  test('are of the payload type as well, with its length', () => {
    const sealed = readBundle(MADE.text);
    const plain = operator.sign(sealed.payload);
    const forged = { ...sealed, signatures: [{ keyid: sealed.signatures[0]!.keyid, signature: plain }] };
    expect(signersOf(forged, keys)).toEqual([]);
    // DSSE's own spelling of what is signed, written out.
    const type = 'application/vnd.comity.policy-bundle+json';
    const pae = Buffer.concat([Buffer.from(`DSSEv1 41 ${type} ${sealed.payload.length} `), sealed.payload]);
    expect(type.length).toBe(41);
    expect(keys[1]!.verifier.verify(pae, sealed.signatures[0]!.signature)).toBe(true);
  });

  test('under the name of another key do not count', () => {
    const sealed = readBundle(bundleAfter(undefined, DOCUMENT, [stranger]).text);
    const { name, id } = keys[0]!.verifier;
    const forged = { ...sealed, signatures: [{ keyid: `${name}+${id}`, signature: sealed.signatures[0]!.signature }] };
    expect(signersOf(forged, keys)).toEqual([]);
  });
});
