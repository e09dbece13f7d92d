import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Command } from 'commander';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { localQueryApi } from '../../src/agent/local-query.ts';
import { messageOf } from '../../src/base/errors.ts';
import { httpServer, listen } from '../../src/base/http.ts';
import { promqlCommand } from '../../src/cli/promql.ts';
import { queryCommand } from '../../src/cli/query.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { localShard } from '../../src/shard/local-shard.ts';
import { openQueries } from '../../src/shard/queries.ts';
import { memorySource } from '../memory-source.ts';
import { bareSource } from '../shard/memory-shards.ts';

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command as the program does: `comity promql …`, `comity query …`. */
async function run(command: Command, args: readonly string[]): Promise<Ended> {
  let out = '';
  let err = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  try {
    await command.parseAsync(args, { from: 'user' });
  } catch (error) {
    err = messageOf(error);
    process.exitCode = 1;
  } finally {
    write.mockRestore();
  }
  const code = Number(process.exitCode ?? 0);
  process.exitCode = undefined;
  return { code, out, err };
}

const promql = (...args: string[]): Promise<Ended> => run(promqlCommand(), args);

describe('format', () => {
  it('prints the canonical text', async () => {
    expect(await promql('format', 'sum(x)by(a)')).toEqual({ code: 0, out: 'sum by (a) (x)\n', err: '' });
    expect(await promql('format', '--json', '1+1')).toMatchObject({ out: '{"formatted":"1 + 1"}\n' });
  });

  it('reads standard input', { timeout: 60_000 }, async () => {
    const child = spawn(process.execPath, ['src/cli/main.ts', 'promql', 'format', '-']);
    let out = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stdin.end('x smoothed\n');
    const [code] = (await once(child, 'close')) as [number | null];
    expect([code, out]).toEqual([0, 'x smoothed\n']);
  });

  it('points at mistakes', async () => {
    const { code, err } = await promql('format', 'sum(\n  raet(x[5m]))');
    expect([code, err]).toEqual([
      1,
      '2:3: parse error: unknown function with name "raet"; did you mean "rate"?\n  raet(x[5m]))\n  ^',
    ]);
    const json = await promql('format', '--json', 'x +');
    expect([json.code, json.err, JSON.parse(json.out)]).toEqual([
      1,
      '',
      { error: expect.stringMatching(/^1:4: parse error: unexpected end of input/), ...PLACE, rendering: 'x +\n   ^' },
    ]);
  });
});

const PLACE = { line: 1, column: 4, found: expect.any(String), expected: expect.any(String) };

describe('explain', () => {
  it('shows what runs where', async () => {
    const text = 'sum by (job) (rate(x[5m])) / 2';
    const { code, out } = await promql('explain', text, '--json', '--start', '0', '--end', '60', '--step', '30s');
    const sum = { node: 'sum by (job) (rate(x[5m]))', type: 'vector', labels: 'job', fragment: 0 };
    const rate = { node: 'rate()', type: 'vector', labels: 'all but __name__' };
    const plan = {
      remainder: { node: '/', type: 'vector', labels: 'job', parts: [sum, { node: '2', type: 'scalar' }] },
      fragments: [
        {
          answer: 'partial',
          expr: 'sum by (job) (rate(x[5m]))',
          steps: { startMs: 0, stepMs: 30_000, steps: 3 },
          tree: {
            node: 'sum by (job)',
            type: 'vector',
            labels: 'job',
            parts: [{ ...rate, parts: [{ node: 'x[5m]', type: 'matrix', labels: 'all' }] }],
          },
        },
      ],
      rawReads: [],
    };
    expect([code, JSON.parse(out)]).toEqual([
      0,
      { query: text, type: 'vector', steps: 3, federation: plan, agent: plan },
    ]);
  });

  it('goes by the domain label and the number of shards', async () => {
    const text = 'sum by (region) (x)';
    const answers = async (...args: string[]): Promise<string[]> => {
      const { federation, agent } = JSON.parse((await promql('explain', text, '--json', ...args)).out) as Record<
        string,
        { fragments: { answer: string }[] }
      >;
      return [federation, agent].map((plan) => plan!.fragments.map(({ answer }) => answer).join());
    };
    expect(await answers()).toEqual(['partial', 'partial']);
    expect(await answers('--domain-label', 'region', '--shards', '1')).toEqual(['vector', 'vector']);
    expect((await promql('explain', 'x', '--shards', '0')).err).toMatch(
      /--shards must be a number from 1 to 1024, not "0"/,
    );
  });

  it('draws it, and says what a federation refuses', async () => {
    const { code, out } = await promql('explain', 'topk(2, x)', '--shards', '2');
    expect(code).toBe(0);
    expect(out).toContain('over 2 shards of one agent:\n');
    expect(out).toMatch(/├─ 2 {3}\[scalar\]\n +└─ fragment 0: topk\(2, x\) {3}\[vector; labels: all\]/);
    const refused = await promql('explain', 'x[5m]');
    expect([refused.code, refused.out]).toEqual([
      0,
      expect.stringMatching(
        /refused: x\[5m\] \(1:1\): a range vector is raw samples.*What works: last_over_time\(x\[5m\]\)/,
      ),
    ]);
  });
});

describe('check', () => {
  const held = ['http_requests_total', 'up'].map((name) => ({
    labels: labelsOf({ __name__: name, instance: 'a:1', job: 'shop' }),
    times: Float64Array.of(Date.now() - 120_000),
    values: Float64Array.of(1),
  }));
  const app = httpServer(pino({ level: 'silent' }));
  let url: string;
  beforeAll(async () => {
    const shard = localShard(bareSource(memorySource(held)));
    localQueryApi(app, {
      queries: openQueries([shard]),
      onFault(error) {
        throw error;
      },
    });
    url = await listen(app, '127.0.0.1:0');
  });
  afterAll(() => app.close());

  it('tells the type and the selectors', async () => {
    expect(await promql('check', 'rate(a[5m]) /\n  b{c="d"}')).toEqual({
      code: 0,
      out: 'type: vector\n1:6  a\n2:3  b{c="d"}\n',
      err: '',
    });
    expect((await promql('check', '--json', '1')).out).toBe('{"type":"scalar","selectors":[]}\n');
    expect((await promql('check', 'limitk(1, x)')).code).toBe(1);
    expect((await promql('check', 'limitk(1, x)', '--enable-feature', 'promql-experimental-functions')).code).toBe(0);
    expect((await promql('check', 'x', '--enable-feature', 'none')).err).toMatch(/there is no feature "none"/);
  });

  it.each([
    ['up{job="shop"}', 0, ''],
    ['up{zone!="x", zone=""}', 0, ''],
    ['rate(http_request_total[5m])', 2, 'there is no metric "http_request_total"; did you mean "http_requests_total"?'],
    ['up{jbo="shop"}', 2, 'no series of up has a label "jbo"; did you mean "job"?'],
    ['up{job="shopp"}', 2, 'no series of up has job="shopp"; did you mean "shop"?'],
    ['up{job!="shop"}', 2, 'up is there, but no series of it satisfies up{job!="shop"}'],
    ['{job="x"}', 2, 'no series has {job="x"}'],
    ['quite_another_thing', 2, 'there is no metric "quite_another_thing"'],
  ])('asks an agent about %s', async (expr, code, hint) => {
    const checked = await promql('check', expr, '--agent', url, '--json');
    const { selectors } = JSON.parse(checked.out) as { selectors: { hint?: string }[] };
    expect([checked.code, selectors.map((selector) => selector.hint ?? '')]).toEqual([code, [hint]]);
  });

  it('gives the hints of an empty answer to a query', async () => {
    const empty = await run(queryCommand(), ['pu', '--hub', url]);
    expect(empty).toEqual({ code: 0, out: '(empty)\nhint: there is no metric "pu"; did you mean "up"?\n', err: '' });
    const found = await run(queryCommand(), ['rate(up[5m:10s])', '--hub', url]);
    expect(found.out).toMatch(/info: PromQL info: metric might not be a counter, .*"up" \(1:\d\)\n$/);
  });

  it('says when nobody answers', async () => {
    const { code, err } = await promql('check', 'up', '--agent', 'http://127.0.0.1:1');
    expect([code, err]).toEqual([1, expect.stringMatching(/nothing at http:\/\/127\.0\.0\.1:1 answers/)]);
  });
});
