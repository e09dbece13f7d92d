import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CoverageRead } from '../../src/plan/frames/coverage-codec.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';
import { findOracle, startOracle, type Oracle } from '../oracle/oracle.ts';
import { remoteWrite } from '../oracle/remote-write.ts';
import { AT_MS } from './fragments.ts';
import { minutely, openTestUpstream } from './harness.ts';

const oracle = await findOracle();
const MINUTE = 60_000;

describe.skipIf(oracle === undefined)('the targets of a Prometheus 3.15', { timeout: 60_000 }, () => {
  let server: Oracle;
  let upstream: Upstream;

  beforeAll(async () => {
    server = await startOracle();
    const up = (instance: string, values: readonly number[]) =>
      minutely({ __name__: 'up', job: 'j', instance }, values);
    const all = Array.from({ length: 60 }, () => 1);
    await remoteWrite(server, [
      up('good', all),
      // Its scrapes failed from forty to thirty minutes ago.
      up(
        'failing',
        all.map((value, i) => (i >= 20 && i < 30 ? 0 : value)),
      ),
      minutely({ __name__: 'm', job: 'j', instance: 'good' }, all),
    ]);
    upstream = openTestUpstream({ url: server.url });
  }, 60_000);
  afterAll(async () => {
    await upstream.close();
    await server.close();
  });

  async function asked(reads: readonly CoverageRead[], steps: number, stepMs = MINUTE): Promise<string> {
    const grid = { startMs: AT_MS - (steps - 1) * stepMs, stepMs, steps };
    const until = { deadlineMs: Date.now() + 20_000, signal: new AbortController().signal };
    const runs = await upstream.coverage({ grid, reads }, until);
    expect(runs.reduce((sum, run) => sum + run.steps, 0)).toBe(steps);
    const joined: [string, number][] = [];
    for (const run of runs) {
      const text = `${run.observed}/${run.expected}`;
      const last = joined.at(-1);
      if (last?.[0] === text) last[1] += run.steps;
      else joined.push([text, run.steps]);
    }
    return joined.map(([text, count]) => `${count}x${text}`).join(' ');
  }

  const read = (fromMs: number, toMs: number, fixed = false): CoverageRead => ({ metric: 'm', fromMs, toMs, fixed });

  test('are missing at the steps that read a time at which their scrapes failed', async () => {
    // A step reads five minutes and their beginning, so the last one that is touched lies five minutes after the last failure.
    expect(await asked([read(-5 * MINUTE, 0)], 50)).toBe('10x2/2 15x1/2 25x2/2');
  });

  test('are missing at every step where a fixed time is', async () => {
    expect(await asked([read(AT_MS - 36 * MINUTE, AT_MS - 35 * MINUTE, true)], 3)).toBe('3x1/2');
    expect(await asked([read(AT_MS - 6 * MINUTE, AT_MS - 5 * MINUTE, true)], 3)).toBe('3x2/2');
  });

  test('are asked about at few times where steps are many, and none is taken for covered that is not', async () => {
    const each = (await asked([read(-5 * MINUTE, 0)], 11_001, 250)).split(' ');
    const missing = each.filter((run) => run.endsWith('1/2')).reduce((sum, run) => sum + Number.parseInt(run, 10), 0);
    expect(missing).toBeGreaterThanOrEqual(15 * 240 - 239);
    expect(missing).toBeLessThan(16 * 240);
  });

  test('that cannot be asked about count as they are known now', async () => {
    const gone = new AbortController();
    gone.abort();
    const grid = { startMs: AT_MS, stepMs: 1, steps: 2 };
    const question = { grid, reads: [read(0, 0)] };
    await expect(
      upstream.coverage(question, { deadlineMs: Date.now() + 1_000, signal: gone.signal }),
    ).rejects.toThrow();
    const late = { deadlineMs: Date.now() - 1, signal: new AbortController().signal };
    const { expected, observed } = upstream.state();
    expect(await upstream.coverage(question, late)).toEqual([{ steps: 2, expected, observed }]);
  });
});
