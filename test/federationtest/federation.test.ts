import { afterEach, expect, test } from 'vitest';
import { drawFrom } from '../../src/federationtest/draw.ts';
import { openFederation, type Federation } from '../../src/federationtest/federation.ts';
import { splitData } from '../../src/federationtest/split.ts';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { instantGrid } from '../../src/model/grid.ts';
import { labelsOf, labelsRecord } from '../../src/model/labels.ts';
import { NO_FEATURES } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { openDatabase } from '../../src/promqltest/database.ts';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function opened(egressClass: 'open' | 'aggregate', shards = 0): Promise<Federation> {
  const federation = await openFederation({ domains: 3, shards, egressClass, features: NO_FEATURES });
  stops.push(federation.close);
  for (const [i, domain] of federation.domains.entries()) {
    const batch = batchBuilder();
    batch.add(labelsOf({ __name__: 'x', domain, a: 'b' }), 0, i + 1);
    await federation.append(i, batch.build());
  }
  return federation;
}

async function rows(federation: Federation, text: string): Promise<unknown> {
  const { value, coverage } = await federation.query(parseExpr(text), text, instantGrid(0));
  if (value.kind !== 'vector') throw new Error(value.kind);
  return {
    complete: coverage.complete,
    rows: value.rows.map(({ labels, values }) => [labelsRecord(labels), values[0]]),
  };
}

test.each([0, 2])('a hub asks domains in this process, of %i shards', async (shards) => {
  const federation = await opened('open', shards);
  expect(federation.domains).toEqual(['d1', 'd2', 'd3']);
  expect(await rows(federation, 'sum(x)')).toEqual({ complete: true, rows: [[{}, 6]] });
  expect(await rows(federation, 'x{domain="d2"}')).toEqual({
    complete: true,
    rows: [[{ __name__: 'x', domain: 'd2', a: 'b' }, 2]],
  });
  await federation.clear();
  expect(await rows(federation, 'sum(x)')).toEqual({ complete: true, rows: [] });
});

test('the policy is asked', async () => {
  const federation = await opened('aggregate');
  expect(await rows(federation, 'sum by (domain) (x) > 2')).toEqual({ complete: true, rows: [[{ domain: 'd3' }, 3]] });
  await expect(rows(federation, 'x')).rejects.toMatchObject({ code: 'refused', reason: 'class_aggregate' });
});

test('a silent domain is unreachable until it is silent no more', async () => {
  const federation = await opened('open');
  federation.silence(new Set([1]));
  expect(await rows(federation, 'sum(x)')).toEqual({ complete: false, rows: [[{}, 4]] });
  expect(await rows(federation, 'sum(x{domain="d1"})')).toEqual({ complete: true, rows: [[{}, 1]] });
  await expect(rows(federation, 'sum(x{domain="d2"})')).rejects.toMatchObject({ code: 'incomplete' });
  federation.silence(new Set());
  expect(await rows(federation, 'sum(x)')).toEqual({ complete: true, rows: [[{}, 6]] });
});

test('series are split by seed, keep their domain until all is cleared, and carry its label', async () => {
  const federation = await openFederation({ domains: 3, shards: 0, egressClass: 'open', features: NO_FEATURES });
  stops.push(federation.close);
  const union = await openDatabase({ shards: 0, features: NO_FEATURES });
  stops.push(union.close);
  const data = splitData(federation, union, drawFrom(1), 'a.test');
  const load = async (timeMs: number): Promise<void> => {
    const batch = batchBuilder();
    for (let i = 0; i < 30; i++) batch.add(labelsOf({ __name__: 'x', domain: 'own', i: String(i) }), timeMs, 1);
    await data.append(batch.build());
  };
  await load(0);
  const first = data.listing();
  await load(1_000);
  expect(data.listing()).toEqual(first);
  expect(data.labelNames()).toEqual(['__name__', 'domain', 'exported_domain', 'i']);
  for (const domain of federation.domains)
    expect(first.filter((line) => line.includes(domain)).length).toBeGreaterThan(3);
  expect(await rows(federation, 'count by (exported_domain) (x)')).toEqual({
    complete: true,
    rows: [[{ exported_domain: 'own' }, 30]],
  });
  const text = 'count(x)';
  const { value } = await union.query(parseExpr(text), text, instantGrid(1_000));
  expect(value).toMatchObject({ kind: 'vector', rows: [{ values: new Float64Array([30]) }] });
  await data.clear();
  await load(0);
  expect(data.listing()).not.toEqual(first);
});
