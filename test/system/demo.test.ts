import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { ask, federationStatus, isWhole } from '../../scripts/demo/hub-client.ts';
import type { Answer } from '../../scripts/demo/hub-client.ts';
import type { OnceDocument } from '../../scripts/demo/once.ts';
import { ALL_QUERIES, BY_SERVICE, REFUSED_QUERIES } from '../../scripts/demo/queries.ts';
import { snapshotOf } from '../../scripts/demo/snapshot.ts';
import { TABLE_COLUMNS, bytesText, renderTable } from '../../scripts/demo/table.ts';
import { DOMAINS } from '../../scripts/demo/topology.ts';

const MAIN = resolve(import.meta.dirname, '../../scripts/demo/main.ts');
const NAMES = DOMAINS.map((one) => one.name);

interface Demo {
  readonly child: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** Exit code, or the signal's name. */
  readonly exited: Promise<number | string>;
}

const demos: Demo[] = [];

afterEach(async () => {
  for (const demo of demos.splice(0)) {
    demo.child.kill('SIGTERM');
    await demo.exited;
    // Nothing is left to kill unless a test has failed, and then its processes must not outlive it.
    for (const pid of pidsOf(demo).values()) if (isAlive(pid)) process.kill(pid, 'SIGKILL');
  }
});

function startDemo(...args: string[]): Demo {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (data: Buffer) => (stdout += data.toString()));
  child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
  const exited = new Promise<number | string>((done) => {
    child.once('close', (code, signal) => done(code ?? signal ?? 'unknown'));
  });
  const demo = { child, stdout: () => stdout, stderr: () => stderr, exited };
  demos.push(demo);
  return demo;
}

/** Process ids that the demo has reported, by name; the last one of a name counts. */
function pidsOf(demo: Demo): Map<string, number> {
  const found = demo.stderr().matchAll(/^demo: (.+) started \(pid (\d+)\)$/gm);
  return new Map([...found].map((match) => [match[1] ?? '', Number(match[2])]));
}

/** Whether a process runs. One that has ended but that nobody has waited for yet (a zombie) does not. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const stat = `/proc/${pid}/stat`;
  return !existsSync(stat) || !/\) [ZX] /.test(readFileSync(stat, 'latin1'));
}

async function until<T>(
  what: string,
  withinMs: number,
  probe: () => T | undefined | Promise<T | undefined>,
): Promise<T> {
  const deadlineMs = performance.now() + withinMs;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (performance.now() > deadlineMs) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(200);
  }
}

test(
  '--once --json prints one document of complete answers and leaves nothing behind',
  { timeout: 75_000 },
  async () => {
    const demo = startDemo('--once', '--json');
    const code = await demo.exited;
    expect(code, demo.stderr()).toBe(0);
    const document = JSON.parse(demo.stdout()) as OnceDocument;

    expect(document.queries.map((one) => one.query)).toEqual(ALL_QUERIES.map((one) => one.query));
    for (const { query, answer, coverage } of document.queries) {
      expect(coverage.complete, query).toBe(true);
      expect(coverage.observed, query).toBe(coverage.expected);
      expect(answer.length, query).toBeGreaterThan(0);
      expect(
        answer.every((sample) => Number.isFinite(Number(sample.value[1]))),
        query,
      ).toBe(true);
      expect(coverage.domains.map((one) => one.domain).toSorted(), query).toEqual(NAMES.toSorted());
    }
    const services = document.queries[0]?.answer.map((sample) => sample.metric['service_name']) ?? [];
    expect(new Set(services)).toEqual(new Set(DOMAINS.flatMap((one) => one.services)));

    expect(document.bytes.map((one) => one.domain).toSorted()).toEqual(NAMES.toSorted());
    for (const { domain, crossed, rawHeld } of document.bytes) {
      const { entries = 0 } = document.proofs.find((one) => one.domain === domain) ?? {};
      expect(rawHeld, domain).toBeGreaterThan(0);
      expect(crossed, domain).toBeGreaterThan(0);
      // What crosses grows with the answers, each of which has an entry, and not with what is held.
      expect(crossed / entries, domain).toBeLessThan(2_500);
    }

    expect(document.refused.map((one) => one.query)).toEqual(REFUSED_QUERIES.map((one) => one.query));
    const [byCustomer, , , byOneDomain] = document.refused;
    expect(byCustomer?.error).toMatch(/customer_id/);
    expect(byOneDomain?.error).toMatch(/^ap-south: /);
    expect(document.proofs.map((one) => one.domain)).toEqual(NAMES);
    for (const { domain, entries, witnessed, reportUrl } of document.proofs) {
      expect(entries, domain).toBeGreaterThan(10);
      expect(witnessed, domain).toBeLessThanOrEqual(entries);
      expect(reportUrl, domain).toContain(`${domain}.report.html`);
    }
    expect(document.secondsToFirstCompleteAnswer).toBeGreaterThan(0);

    const pids = pidsOf(demo);
    expect([...pids.keys()].toSorted()).toEqual(
      ['hub', ...NAMES.flatMap((name) => [`agent ${name}`, `services ${name}`])].toSorted(),
    );
    expect([...pids].filter(([, pid]) => isAlive(pid))).toEqual([]);
    await expect(fetch(`${document.hub}/-/ready`)).rejects.toThrow();
    const dir = /^demo: run directory (.+)$/m.exec(demo.stderr())?.[1];
    expect(dir).toBeDefined();
    expect(existsSync(dir ?? '')).toBe(false);
  },
);

test(
  'a killed agent shows in the coverage and heals; a killed demo takes everything along',
  { timeout: 75_000 },
  async () => {
    const dir = mkdtempSync(join(tmpdir(), 'comity-demo-test-'));
    try {
      // An agent writes down every five seconds which streams it expects; one killed sooner could not know what it missed.
      const demo = startDemo('--keep', dir, '--kill-after', '6', '--restart-after', '6', '--domain', 'us-east');
      const hubUrl = await until('the hub is up', 40_000, () => {
        if (demo.child.exitCode !== null) throw new Error(demo.stderr());
        return /^demo: hub (http.+)$/m.exec(demo.stderr())?.[1];
      });
      await until('the agent is killed', 40_000, () => /^demo: kill -9 \d+/m.exec(demo.stderr())?.[0]);

      const dark = await until('us-east is unreachable', 15_000, async () => {
        const answer = await ask(hubUrl, BY_SERVICE.rate.query);
        return answer.ok && statusOf(answer, 'us-east') === 'unreachable' ? answer : undefined;
      });
      expect(dark.coverage.complete).toBe(false);
      expect(dark.coverage.observed).toBeLessThan(dark.coverage.expected);
      expect(dark.warnings.join()).toMatch(/us-east/);
      expect(dark.result.length).toBeGreaterThan(0);
      expect(NAMES.filter((name) => statusOf(dark, name) === 'ok')).toEqual(NAMES.filter((name) => name !== 'us-east'));
      const domains = await federationStatus(hubUrl);
      expect(domains.find((one) => one.domain === 'us-east')?.reachable).toBe(false);

      const healed = await until('us-east is back', 60_000, async () => {
        const answer = await ask(hubUrl, BY_SERVICE.rate.query);
        return isWhole(answer, BY_SERVICE.rate.series) ? answer : undefined;
      });
      expect(healed.warnings).toEqual([]);
      expect(healed.coverage.expected).toBe(dark.coverage.expected);

      const pids = pidsOf(demo);
      expect([...pids.values()].every(isAlive)).toBe(true);
      demo.child.kill('SIGKILL');
      await until('every process of the demo is gone', 10_000, () => ![...pids.values()].some(isAlive) || undefined);
    } finally {
      rmSync(dir, { recursive: true, force: true });
    }
  },
);

test('wrong options are refused with a reason', async () => {
  const check = async (args: string[], want: RegExp): Promise<void> => {
    const demo = startDemo(...args);
    expect(await demo.exited).toBe(1);
    expect(demo.stderr()).toMatch(want);
    expect(demo.stdout()).toBe('');
  };
  await check(['--json'], /'--json' needs '--once'/);
  await check(['--domain', 'mars'], /eu-west, us-east, ap-south/);
  await check(['--kill-after', 'soon'], /seconds between 0 and 86400/);
});

test('the table fits 100 columns, whatever the numbers', () => {
  const domains = DOMAINS.map(({ name, jurisdiction }, at) => ({
    domain: name,
    jurisdiction,
    reachable: at !== 1,
    observed: at === 1 ? 0 : 123_456,
    expected: 123_456,
    bytesReceived: 987_654_321,
    bytesRawHeld: 98_765_432_109,
    replicas: [{ ledger: null }],
  }));
  const coverage = {
    complete: false,
    observed: 246_912,
    expected: 370_368,
    domains: domains.map((one) => ({ ...one, status: one.reachable ? 'ok' : 'unreachable', reason: null })),
  };
  const vector = (value: string, byDomain: boolean): Answer => ({
    ok: true,
    coverage,
    warnings: [],
    result: ['checkout', 'a-very-long-service-name'].flatMap((service_name) =>
      byDomain
        ? NAMES.map((domain) => ({ metric: { service_name, domain }, value: [0, value] as [number, string] }))
        : [{ metric: { service_name }, value: [0, value] as [number, string] }],
    ),
  });
  const columns = (byDomain: boolean): Parameters<typeof snapshotOf>[0] => ({
    rate: vector('12345.67', byDomain),
    errorRatio: vector(byDomain ? 'NaN' : '1', byDomain),
    p95: byDomain ? { ok: false, error: `refused ${'x'.repeat(300)}` } : vector('10000', byDomain),
  });
  const lines = renderTable(snapshotOf(columns(false), columns(true), domains), {
    hubUrl: 'http://127.0.0.1:65535',
    upSeconds: 123_456.7,
    domains: DOMAINS,
    agents: NAMES.map((domain, at) => ({
      domain,
      pid: at === 1 ? undefined : 4_194_304,
      command: 'comity '.repeat(30),
    })),
    refused: { query: 'sum '.repeat(90), error: 'because '.repeat(90) },
    proof: {
      domain: 'eu-west',
      entries: 123_456_789,
      root: 'r'.repeat(44),
      witnessed: 123_456_788,
      reportUrl: `file:///${'folder/'.repeat(40)}`,
      command: '',
    },
    news: 'something happened '.repeat(20),
    keys: true,
    colour: false,
  });
  expect(lines.filter((line) => line.length > TABLE_COLUMNS)).toEqual([]);
  const text = lines.join('\n');
  expect(text).toMatch(/^checkout +12345\.7 +100\.0 +10000 +12345\.7 +- +- /m);
  expect(text).toMatch(/^us-east +US +unreachable +0\/123456 +987\.7 MB +98\.8 GB +1\.0 % +down$/m);
  expect(text).toMatch(/^hub says refused\n +x+…$/m);
  expect([0, 999, 1_000, 999_949, 999_950, 41_300].map(bytesText)).toEqual([
    '0 B',
    '999 B',
    '1.0 kB',
    '999.9 kB',
    '1.0 MB',
    '41.3 kB',
  ]);
});

function statusOf(answer: Extract<Answer, { ok: true }>, domain: string): string | undefined {
  return answer.coverage.domains.find((one) => one.domain === domain)?.status;
}
