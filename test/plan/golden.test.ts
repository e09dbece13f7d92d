/*
 * The bytes of each message of the federation protocol, kept in fixtures/federation: a change that would part hubs and agents
 * which are not updated together shows here. After one that is meant (and a new version, where old readers would be wrong):
 * `node scripts/run.mjs scripts/golden-frames.ts`, then `oxfmt fixtures/federation`.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decodeQueryRequest } from '../../src/plan/frames/query-codec.ts';
import { FEDERATION_VERSION } from '../../src/plan/frames/version.ts';
import { GOLDENS, readable, SMALL_ANSWER } from './golden-frames.ts';

const folder = new URL('../../fixtures/federation/', import.meta.url);

function bytesOf(name: string): Buffer {
  return Buffer.from(readFileSync(new URL(`${name}.hex`, folder), 'utf8').replaceAll('\n', ''), 'hex');
}

describe('the bytes of', () => {
  it.each(GOLDENS)('$name', ({ name, encode, decode }) => {
    const file = `v${FEDERATION_VERSION}-${name}`;
    expect(Buffer.from(encode()).toString('hex')).toBe(bytesOf(file).toString('hex'));
    const said: unknown = JSON.parse(readFileSync(new URL(`${file}.json`, folder), 'utf8'));
    expect(readable(decode(bytesOf(file)))).toEqual(said);
  });
});

it('the request has every kind of node and of answer', () => {
  const said = readFileSync(new URL(`v${FEDERATION_VERSION}-query-request.json`, folder), 'utf8');
  const kinds = new Set([...said.matchAll(/"(?:kind|answer)": "([^"]+)"/g)].map(([, kind]) => kind));
  const nodes = 'number string vector matrix subquery call unary binary aggregate once';
  for (const kind of `${nodes} timed partial sketch`.split(' ')) expect(kinds, kind).toContain(kind);
});

it('the bytes that docs/federation.md explains are those of an answer', () => {
  const page = readFileSync(new URL('../../docs/federation.md', import.meta.url), 'utf8');
  const [, diagram = ''] = /```\n(08 05 [^`]*)```/.exec(page) ?? [];
  const hex = diagram.split('\n').map((line) => /^ *((?:[0-9a-f]{2} )*[0-9a-f]{2})(?= {2,})/.exec(line)?.[1] ?? '');
  const bytes = Buffer.from(hex.join('').replaceAll(' ', ''), 'hex');
  expect(bytes.toString('hex')).toBe(bytesOf(`v${FEDERATION_VERSION}-small-answer`).toString('hex'));
  expect(SMALL_ANSWER.decode(bytes)).toMatchObject({ fragments: [{ rows: [{ labels: ['job', 'api'] }] }] });
});

describe('a request of another version is refused by its number', () => {
  // As hubs of versions 2 to 4 sent it; and one of a version to come, whose fields mean what nobody knows yet.
  it.each([2, 3, 4, 6])('%i', (version) => {
    expect(() => decodeQueryRequest(bytesOf(`v${version}-query-request`))).toThrow(
      `unsupported: version ${version} of the federation protocol, this is 5`,
    );
  });
});
