import { describe, expect, it } from 'vitest';
import { newTraceparent } from '../../src/base/traceparent.ts';
import { runExemplars } from '../../src/hub/lists/exemplars.ts';
import { runLabels } from '../../src/hub/lists/labels.ts';
import { runMetadata } from '../../src/hub/lists/metadata.ts';
import { runSeries } from '../../src/hub/lists/series.ts';
import { openDomain } from '../../src/hub/registry.ts';
import type { Endpoint, Transport } from '../../src/hub/transport.ts';
import type { Metadata } from '../../src/model/batch.ts';
import { labelsOf, type Labels } from '../../src/model/labels.ts';
import {
  decodeExemplarsRequest,
  encodeExemplarsAnswer,
  type ExemplarsAnswer,
} from '../../src/plan/frames/exemplars-codec.ts';
import { decodeLabelsRequest, encodeLabelsAnswer } from '../../src/plan/frames/labels-codec.ts';
import { decodeMetadataRequest, encodeMetadataAnswer } from '../../src/plan/frames/metadata-codec.ts';
import { decodeSeriesRequest, encodeSeriesAnswer } from '../../src/plan/frames/series-codec.ts';
import type { Refusal } from '../../src/plan/frames/refusal-codec.ts';
import type { DomainStatus } from '../../src/plan/frames/status-codec.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import { STATUS } from '../plan/random-frames.ts';
import { playedLedger, withReceipts } from './played-ledger.ts';

/** What a domain answers to each list, in bytes; it sees the request. */
type Answers = Partial<Record<Endpoint, (body: Uint8Array, status: DomainStatus) => Uint8Array | Promise<Uint8Array>>>;

function domainOf(name: string, answers: Answers) {
  const status: DomainStatus = { ...STATUS, domain: name, expectedStreams: 1, observedStreams: 1 };
  const transport: Transport = {
    async send(endpoint, body, { signal }) {
      const answer = endpoint === 'ledger' ? undefined : answers[endpoint];
      const bytes =
        answer === undefined
          ? await new Promise<never>((_resolve, reject) =>
              signal.addEventListener('abort', () => reject(signal.reason as Error)),
            )
          : await answer(body, status);
      return { statusCode: 200, bytes, wireBytes: bytes.length };
    },
    close: async () => undefined,
  };
  const proven = withReceipts(transport, playedLedger(name), STATUS.policyDigest);
  return openDomain({ name, jurisdiction: 'x' }, [{ url: `in:${name}`, transport: proven, heartbeat: proven }]);
}

const up = (domain: string, i = '1') => labelsOf({ __name__: 'up', domain, i });
const series = (sets: readonly Labels[], more = {}): Answers => ({
  series: (body, status) =>
    encodeSeriesAnswer({
      id: decodeSeriesRequest(body).id,
      status,
      series: sets,
      isCut: false,
      isSelective: false,
      ...more,
    }),
});
const refusing = (refusal: Refusal): Answers => ({
  series: (body, status) => encodeSeriesAnswer({ id: decodeSeriesRequest(body).id, status, refusal }),
});

const caller = (deadlineMs = 5_000, allowPartial = true) => ({
  deadlineMs: Date.now() + deadlineMs,
  signal: new AbortController().signal,
  trace: newTraceparent(),
  allowPartial,
});
const selector = parseExpr('up');
if (selector.kind !== 'vector') throw new Error('no selector');
const about = { selectors: [selector], fromMs: 0, toMs: 60_000 };

const asked = (others: Answers, more: Partial<ReturnType<typeof caller>> & { limit?: number } = {}) => {
  const registry = [domainOf('a', series([up('a')])), domainOf('b', others)];
  return runSeries({ ...caller(), ...about, limit: 0, ...more }, { registry, domainLabel: 'domain' });
};

describe('a domain that', () => {
  it.each<[string, Answers, string, RegExp]>([
    ['tells of another domain', series([up('a')]), 'unreachable', /told of series of another domain/],
    ['leaves the domain label out', series([['__name__', 'up']]), 'unreachable', /told of series of another domain/],
    ['tells more than it was asked for', series([up('b'), up('b', '2'), up('b', '3')]), 'unreachable', /malformed/],
    [
      'answers another request',
      {
        series: (_body, status) =>
          encodeSeriesAnswer({ id: new Uint8Array(8), status, series: [], isCut: false, isSelective: false }),
      },
      'unreachable',
      /another request/,
    ],
    [
      'says it is another',
      {
        series: (body) =>
          encodeSeriesAnswer({
            id: decodeSeriesRequest(body).id,
            status: { ...STATUS, domain: 'c' },
            series: [],
            isCut: false,
            isSelective: false,
          }),
      },
      'refused',
      /of domain c/,
    ],
    ['sends garbage', { series: () => Uint8Array.of(255, 1, 2) }, 'unreachable', /./],
    ['says nothing', {}, 'timeout', /./],
    [
      'refuses',
      refusing({ code: 'class_aggregate', name: 'up' }),
      'refused',
      /metric up is of class aggregate in domain b/,
    ],
    ['cannot tell', refusing({ code: 'unsupported', name: '' }), 'refused', /unsupported: domain b cannot evaluate it/],
    ['gave up', refusing({ code: 'timeout', name: '' }), 'timeout', /it stopped at the deadline/],
    [
      'has lost its server',
      refusing({ code: 'source_unavailable', name: '' }),
      'unreachable',
      /server that its agent asks/,
    ],
  ])('%s is missing, with the reason', async (_what, answers, status, reason) => {
    const { values, coverage } = await asked(answers, { ...caller(400), limit: 2 });
    expect(values).toEqual([up('a')]);
    expect(coverage).toMatchObject({
      complete: false,
      domains: [{ status: 'ok' }, { status, reason: expect.stringMatching(reason) }],
    });
    await expect(asked(answers, { ...caller(400, false), limit: 2 })).rejects.toMatchObject({
      code: 'incomplete',
      coverage: { complete: false },
    });
  });
});

it('a caller who goes is told no list', async () => {
  const leaving = new AbortController();
  const list = asked({}, { signal: leaving.signal });
  setTimeout(() => leaving.abort(), 20);
  await expect(list).rejects.toMatchObject({ code: 'canceled' });
});

describe('of what domains tell', () => {
  it('series come once and in order, and what was cut anywhere is said to be', async () => {
    const both = await asked(series([up('b', '2'), up('b', '1'), up('b', '2')]));
    expect(both.values).toEqual([up('a'), up('b', '1'), up('b', '2')]);
    expect(both.warnings).toEqual([]);
    expect((await asked(series([up('b')], { isCut: true }))).warnings).toEqual(['results truncated due to limit']);
    expect((await asked(series([up('b')]), { limit: 1 })).warnings).toEqual(['results truncated due to limit']);
    expect((await asked(series([up('b')], { isSelective: true }))).warnings).toEqual([
      'series may be missing by policy: b lets out only those of open metrics whose labels all may leave',
    ]);
  });

  it('values of the domain label are the domain’s own', async () => {
    const labels = (values: string[]): Answers => ({
      labels: (body, status) => encodeLabelsAnswer({ id: decodeLabelsRequest(body).id, status, values }),
    });
    const ask = (name: string) => {
      const registry = [domainOf('a', labels(['a'])), domainOf('b', labels(['a']))];
      return runLabels({ ...caller(), ...about, name, limit: 0 }, { registry, domainLabel: 'domain' });
    };
    expect((await ask('domain')).coverage.domains.map(({ status }) => status)).toEqual(['ok', 'unreachable']);
    expect((await ask('other')).coverage.domains.map(({ status }) => status)).toEqual(['ok', 'ok']);
  });

  it('families are merged by what is said of them, in order', async () => {
    const told = (...families: Metadata[]): Answers => ({
      metadata: (body, status) =>
        encodeMetadataAnswer({ id: decodeMetadataRequest(body).id, status, families, isCut: false }),
    });
    const one = (metric: string, type: string, help: string) => ({ metric, type, unit: '', help }) as Metadata;
    const registry = [
      domainOf('a', told(one('z', 'gauge', 'b'), one('__proto__', 'gauge', ''))),
      domainOf('b', told(one('z', 'gauge', 'a'), one('z', 'counter', 'c'))),
      domainOf('c', told(one('z', 'gauge', 'b'), one('z', 'nonsense', ''))),
    ];
    const { values, coverage } = await runMetadata(
      { ...caller(), metric: '', limit: undefined, limitPerMetric: undefined },
      { registry, domainLabel: 'domain' },
    );
    expect(coverage.domains.map(({ status }) => status)).toEqual(['ok', 'ok', 'unreachable']);
    expect(values).toEqual([
      { metric: '__proto__', entries: [{ type: 'gauge', unit: '', help: '' }] },
      {
        metric: 'z',
        entries: [
          { type: 'counter', unit: '', help: 'c' },
          { type: 'gauge', unit: '', help: 'a' },
          { type: 'gauge', unit: '', help: 'b' },
        ],
      },
    ]);
  });

  it('exemplars are of the domain’s own series', async () => {
    const told = (labels: Labels): Answers => ({
      exemplars: (body, status) => {
        const found: ExemplarsAnswer = {
          id: decodeExemplarsRequest(body).id,
          status,
          series: [{ labels, exemplars: [{ timeMs: 5, value: 1, labels: [] }] }],
          isCut: false,
          isSelective: true,
        };
        return encodeExemplarsAnswer(found);
      },
    });
    const registry = [domainOf('b', told(up('b'))), domainOf('a', told(up('a'))), domainOf('c', told(up('a')))];
    const { values, coverage, warnings } = await runExemplars(
      { ...caller(), ...about },
      { registry, domainLabel: 'domain' },
    );
    expect(values.map(({ labels }) => labels)).toEqual([up('a'), up('b')]);
    expect(coverage.domains.map(({ status }) => status)).toEqual(['ok', 'ok', 'unreachable']);
    expect(warnings).toEqual([
      'exemplars may be missing by policy: b, a let out only those of open metrics whose labels all may leave',
    ]);
  });
});
