import { describe, expect, it } from 'vitest';
import { now, rowsOf, samples } from './instant.ts';

const ONE = [now({ __name__: 'm', src: 'a-b', x: '1' }, 1)];

describe('label_replace', () => {
  it.each<[string, string]>([
    ['label_replace(m, "dst", "$1", "src", "(.*)-.*")', '{__name__="m", dst="a", src="a-b", x="1"}'],
    ['label_replace(m, "dst", "${1}x", "src", "(.)-(.)")', '{__name__="m", dst="ax", src="a-b", x="1"}'],
    // The name of a group is as long as it can be, and an unknown one is empty.
    ['label_replace(m, "dst", "$1x", "src", "(.)-(.)")', '{__name__="m", src="a-b", x="1"}'],
    [
      'label_replace(m, "dst", "$two$one", "src", "(?P<one>.)-(?P<two>.)")',
      '{__name__="m", dst="ba", src="a-b", x="1"}',
    ],
    ['label_replace(m, "dst", "$$1 $", "src", "(.)-(.)")', '{__name__="m", dst="$1 $", src="a-b", x="1"}'],
    ['label_replace(m, "dst", "$0|$3", "src", "(.)-(.)")', '{__name__="m", dst="a-b|", src="a-b", x="1"}'],
    // All of the value has to match.
    ['label_replace(m, "dst", "v", "src", "a")', '{__name__="m", src="a-b", x="1"}'],
    ['label_replace(m, "x", "", "src", "a.b")', '{__name__="m", src="a-b"}'],
    ['label_replace(m, "dst", "v", "nope", "")', '{__name__="m", dst="v", src="a-b", x="1"}'],
    ['label_replace(m, "über ~", "v", "src", ".*")', '{__name__="m", src="a-b", x="1", "über ~"="v"}'],
    ['label_replace(m, "__name__", "n", "src", ".*")', '{__name__="n", src="a-b", x="1"}'],
    ['label_replace(abs(m), "__name__", "n", "src", ".*")', '{__name__="n", src="a-b", x="1"}'],
    ['label_join(m, "dst", "+", "src", "nope", "x")', '{__name__="m", dst="a-b++1", src="a-b", x="1"}'],
    ['label_join(m, "x", "+")', '{__name__="m", src="a-b"}'],
    ['label_join(abs(m), "__name__", "", "src")', '{__name__="a-b", src="a-b", x="1"}'],
  ])('%s', (text, want) => expect(rowsOf(text, ONE)).toEqual([[want, [1]]]));

  it('gives a name that stays where names go at the end', () => {
    const features = ['promql-delayed-name-removal'];
    const replaced = (target: string): string => `label_replace(abs(m), "${target}", "$1", "__name__", "(.*)")`;
    expect(rowsOf(replaced('__name__'), ONE, { features })).toEqual([['{__name__="m", src="a-b", x="1"}', [1]]]);
    expect(rowsOf(replaced('was'), ONE, { features })).toEqual([['{src="a-b", was="m", x="1"}', [1]]]);
    expect(rowsOf(replaced('was'), ONE)).toEqual([['{src="a-b", x="1"}', [1]]]);
  });

  it.each([
    ['label_replace(m, "", "v", "src", ".*")', 'invalid destination label name in label_replace(): '],
    ['label_replace(m, "d", "v", "src", "(.*")', 'invalid regular expression in label_replace(): (.*'],
    ['label_join(m, "", "v", "src")', 'invalid destination label name in label_join(): '],
    ['label_join(m, "d", "v", "")', 'invalid source label name in label_join(): '],
  ])('%s fails, also over nothing', (text, message) => {
    expect(() => rowsOf(text, ONE)).toThrow(message);
    expect(() => rowsOf(text, [])).toThrow(message);
  });

  it('bounds what a pattern may cost', () => {
    expect(() => rowsOf(`label_replace(m, "d", "v", "src", "${'(.{1,30}){30}'.repeat(20)}")`, ONE)).toThrow(
      'regexCost',
    );
  });

  it('puts series together that come to be equal, where they never meet', () => {
    const held = [samples({ __name__: 'm', x: '1' }, [0, 1]), samples({ __name__: 'm', x: '2' }, [400, 2])];
    const text = 'label_replace(m, "x", "v", "x", ".*")';
    expect(rowsOf(text, held, { from: 0, to: 400, step: 400 })).toEqual([['{__name__="m", x="v"}', [1, 2]]]);
    expect(() => rowsOf(text, held, { from: 0, to: 400, step: 200 })).not.toThrow();
    expect(() => rowsOf(text, [held[0]!, samples({ __name__: 'm', x: '2' }, [0, 2])], { from: 0 })).toThrow(
      'vector cannot contain metrics with the same labelset',
    );
  });
});
