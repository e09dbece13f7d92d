import { expect, test } from 'vitest';
import { ADMIT_ALL } from '../../src/model/admission.ts';
import { spanSurvey } from '../../src/trace/span-survey.ts';
import { spanTranslator } from '../../src/trace/span-translator.ts';
import { span, text, traceProtobuf, type Json } from '../wire/otlp-requests.ts';

const NOW_MS = 1_767_225_600_000;

function request(spans: number): Json {
  const one = {
    ...span(2, NOW_MS, 5, [
      text('span.key', 'a'),
      { key: 'nested', value: { arrayValue: { values: [{ intValue: '7' }] } } },
    ]),
    events: [{ name: 'e', attributes: [text('event.key', 'b')] }],
    links: [{ attributes: [text('link.key', 'c')] }],
  };
  const scope = { name: 's', attributes: [text('scope.key', 'd')] };
  return {
    resourceSpans: [
      {
        resource: { attributes: [text('service.name', 'shop')] },
        scopeSpans: [{ scope, spans: Array.from({ length: spans }, () => one) }],
      },
    ],
  };
}

const ALL = [
  'resource service.name=shop',
  'scope scope.key=d',
  'span span.key=a',
  'span nested=[7]',
  'event event.key=b',
  'link link.key=c',
];

test.each(['protobuf', 'json'] as const)(
  'every place of a request in %s is looked at, each time it comes',
  (format) => {
    const seen: string[] = [];
    const translator = spanTranslator({
      domain: 'eu',
      domainLabel: 'domain',
      admission: ADMIT_ALL,
      attributeSeen: (place, key, value) => void seen.push(`${place} ${key}=${value}`),
    });
    const body = format === 'json' ? Buffer.from(JSON.stringify(request(1))) : traceProtobuf(request(1));
    expect(translator.translate(body, format, NOW_MS).taken).toBe(1);
    expect(seen).toEqual(ALL);
    translator.translate(body, format, NOW_MS);
    expect(seen).toEqual([...ALL, ...ALL]);
  },
);

test('of very many some are looked at, and a second later others', () => {
  const survey = spanSurvey(
    () => undefined,
    () => 0.01,
  );
  const due = (nowMs: number): number =>
    Array.from({ length: 10_000 }, () => survey.isDue(nowMs)).filter(Boolean).length;
  expect([due(1_000), due(1_999), due(2_000)]).toEqual([100, 0, 100]);
  const rare = spanSurvey(
    () => undefined,
    () => 0.5,
  );
  expect(Array.from({ length: 10_000 }, () => rare.isDue(1_000)).filter(Boolean)).toHaveLength(50);
});

test('nothing long is decoded for a look', () => {
  const survey = spanSurvey(() => undefined);
  expect([survey.isDue(1, 64 * 1024), survey.isDue(1, 64 * 1024 + 1)]).toEqual([true, false]);
});
