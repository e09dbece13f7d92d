import { describe, expect, it } from 'vitest';
import { bearerOf } from '../../src/agent/bearer.ts';
import { consumersOf, readAskers } from '../../src/agent/consumers.ts';

const SECRET = 'a-secret-of-a-hub-1';
const OTHER = 'a-secret-of-a-hub-2';
const sre = { name: 'sre', jurisdiction: 'us', token: OTHER };

describe('who may ask', () => {
  it.each<[string, Parameters<typeof readAskers>[0], unknown]>([
    ['one token', { token: SECRET }, [{ name: 'hub', jurisdiction: 'unknown', token: SECRET }]],
    ['consumers', { consumers: [sre] }, [sre]],
    ['both', { token: SECRET, consumers: [sre] }, [{ name: 'hub', jurisdiction: 'unknown', token: SECRET }, sre]],
  ])('%s', (_, raw, want) => {
    expect(consumersOf(readAskers(raw, 'agent.yaml'))).toEqual(want);
  });

  it.each<[string, Parameters<typeof readAskers>[0], RegExp]>([
    ['nobody', {}, /^agent\.yaml: token or token_file must give a secret of at least 16 characters/],
    [
      'a short secret',
      { consumers: [{ ...sre, token: 'short' }] },
      /^agent\.yaml: \/consumers\/0: token or token_file/,
    ],
    ['two of one name', { consumers: [sre, { ...sre, token: SECRET }] }, /consumers: two have the name sre/],
    ['two of one token', { token: OTHER, consumers: [sre] }, /consumers: hub and sre have the same token/],
    ['one that is called as the hub', { token: SECRET, consumers: [{ ...sre, name: 'hub' }] }, /two have the name hub/],
  ])('%s: refused', (_, raw, message) => {
    expect(() => readAskers(raw, 'agent.yaml')).toThrow(message);
  });

  it('nobody, where a program starts an agent', () => {
    expect(() => consumersOf({})).toThrow(/nobody may ask/);
  });
});

describe('a bearer token', () => {
  const find = bearerOf([
    { token: SECRET, value: 1 },
    { token: OTHER, value: 2 },
  ]);
  it.each<[string | undefined, number | undefined]>([
    [`Bearer ${SECRET}`, 1],
    [`Bearer ${OTHER}`, 2],
    [`bearer ${SECRET}`, undefined],
    [SECRET, undefined],
    [`Bearer ${SECRET} `, undefined],
    ['Bearer ', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%s is that of %s', (header, want) => {
    expect(find(header)).toBe(want);
  });
});
