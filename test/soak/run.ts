import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { bytesUnder } from '../../bench/process-stats.ts';
import { randomFrom, type Random } from '../random.ts';
import { agentProcess } from './agent-process.ts';
import { connect, NoAnswer } from './client.ts';
import { compacting } from './compacting.ts';
import { copying } from './copying.ts';
import { deleting } from './deleting.ts';
import { startIngest } from './ingest.ts';
import { AgentLost, killing } from './killing.ts';
import { memoryLog, type MemoryLog } from './memory-log.ts';
import { makeModel } from './model.ts';
import type { Options } from './options.ts';
import { lookAnywhere, sweep } from './random-look.ts';
import type { LookDeps } from './raw-look.ts';
import { makeReport } from './report.ts';
import { makeSchedule } from './schedule.ts';

export interface Outcome {
  readonly minutes: number;
  readonly kills: number;
  /** Deletions that were answered, and compactions. */
  readonly deletions: number;
  readonly compactions: number;
  readonly copies: number;
  /** From a start to readiness. */
  readonly readyMs: { readonly min: number; readonly median: number; readonly max: number };
  readonly samples: number;
  /** Requests that were sent again. */
  readonly repeated: number;
  readonly samplesErased: number;
  readonly comparisons: number;
  readonly mismatches: number;
  readonly shown: readonly string[];
  /** Of the agent, and of this process at its highest. */
  readonly memory: ReturnType<MemoryLog['summary']>;
  readonly ownBytesMax: number;
  readonly samplesHeld: number;
  readonly bytesOnDisk: number;
}

const ROUND_MS = 100;

/** Data time that passes in a round; with runs that take long it is less, or they would go back for years. */
const STEP_MS = 30_000;
const STEP_MS_MIN = 1_000;
const SPAN_MS_MAX = 14 * 86_400_000;
const DAY_MS = 86_400_000;

const PROGRESS_MS = 10_000;

/** How often things happen on average, and how often at least in a short run. */
const EVERY_MS = { kill: 15_000, remove: 4_000, compact: 6_000, copy: 100_000 };
const AT_LEAST = { kill: 3, remove: 10, compact: 6, copy: 2 };

/** A run goes on for so long at most where too little has happened. */
const GRACE_MS = 30_000;

/** In long runs no compaction is asked for now and then for longer than the agent waits until it erases by itself. */
const LONG_MS = 15 * 60_000;
const QUIET_SHARE = 0.03;
const QUIET_MS = 6 * 60_000;

/** Between two questions, so that there is time for everything else. */
const LOOK_EVERY_MS = 60;

/** Runs an agent under everything at once for a while. Throws when it cannot run. */
export async function runSoak(options: Omit<Options, 'json'>, onLine: (line: string) => void): Promise<Outcome> {
  const random = randomFrom(options.seed);
  const folder = await mkdtemp(join(tmpdir(), 'comity-soak-'));
  const { shards, fault } = options;
  const agent = await agentProcess({ folder, store: join(folder, 'store'), shards, fault });
  const client = connect(agent.queryUrl, agent.store);
  const report = makeReport(onLine);
  const totalMs = options.minutes * 60_000;
  const rounds = Math.ceil((totalMs + GRACE_MS) / ROUND_MS);
  const stepMs = Math.floor(Math.min(STEP_MS, Math.max(STEP_MS_MIN, SPAN_MS_MAX / rounds)));
  const schedule = makeSchedule({
    ...options,
    rounds,
    stepMs,
    baseMs: baseOf(rounds * stepMs, totalMs * (stepMs / ROUND_MS)),
  });
  const model = makeModel(schedule);
  const deps: LookDeps = { client, model, report };
  const memory = memoryLog(totalMs);
  let isOver = false;
  let failure: Error | undefined;

  /** Does something again and again, at random times. */
  async function again(what: keyof typeof EVERY_MS, own: Random, work: () => Promise<void>): Promise<void> {
    const everyMs = Math.min(EVERY_MS[what], totalMs / (AT_LEAST[what] + 1));
    while (!isOver) {
      await until(everyMs * own.float(0.5, 1.5));
      // Then the agent does by itself what otherwise it is asked for first.
      if (what === 'compact' && totalMs > LONG_MS && own.chance(QUIET_SHARE)) await until(QUIET_MS);
      if (!isOver) await guarded(what, work);
    }
  }

  function giveUp(message: string): void {
    if (failure !== undefined) return;
    report.mismatch({ series: 'none', expected: 'an agent', got: message, question: 'a start' });
    failure = new AgentLost(message);
    isOver = true;
    ingest.abandon();
    void client.close();
  }

  /** A sleep that the end of the run cuts short. */
  async function until(ms: number): Promise<void> {
    const dueMs = performance.now() + ms;
    while (!isOver && performance.now() < dueMs) await sleep(Math.min(100, dueMs - performance.now()));
  }

  /** An answer that says no is a mistake of the agent's; none at all is what kills make. */
  async function guarded(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (error instanceof NoAnswer) {
        await sleep(LOOK_EVERY_MS);
        return;
      }
      if (error instanceof AgentLost) giveUp(error.message);
      if (failure === undefined) {
        report.mismatch({ series: 'none', expected: 'an answer', got: messageOf(error), question: what });
      }
    }
  }

  const ingest = startIngest({ url: agent.ingestUrl, model, random: random.fork(1), rounds, roundMs: ROUND_MS });
  const removals = deleting(deps, ingest, random.fork(2));
  const compactions = compacting(deps, removals, agent.store);
  const copies = copying(deps, folder, shards, random.fork(3));
  const kills = killing(deps, agent, compactions, random.fork(4));
  let startedMs = performance.now();

  async function progress(): Promise<void> {
    let saidMs = startedMs;
    while (!isOver) {
      await until(1_000);
      const ended = agent.ended();
      if (ended !== undefined) giveUp(`the agent ended by itself: ${ended}`);
      memory.note(performance.now() - startedMs, kills.isUp ? agent.pid() : undefined);
      if (performance.now() - saidMs < PROGRESS_MS) continue;
      saidMs = performance.now();
      const bytes = await bytesUnder(agent.store);
      onLine(
        `${((saidMs - startedMs) / 1_000).toFixed(0)} s: ${ingest.samples} samples, ${kills.count} kills, ` +
          `${doneDeletions()} deletions, ${compactions.count} compactions, ${copies.count} copies, ` +
          `${report.comparisons} comparisons, ${report.mismatches} mismatches, ` +
          `RSS ${mib(memory.last)} (own ${mib(process.memoryUsage.rss())}), ${mib(bytes)} on disk`,
      );
    }
  }

  const tooLittle = (): boolean => Math.min(kills.count, doneDeletions(), compactions.count) < leastOf(options.minutes);
  const doneDeletions = (): number => model.deletions.filter(({ isDone }) => isDone).length;

  try {
    await mkdir(agent.store, { recursive: true });
    await kills.start();
    startedMs = performance.now();
    const sending = ingest.run().catch((error: unknown) => {
      if (failure !== undefined) return;
      report.mismatch({ series: 'none', expected: 'to be stored', got: messageOf(error), question: 'a request' });
      isOver = true;
    });
    let deletesWait: Promise<void> = Promise.resolve();
    const exclusive = (work: () => Promise<void>): Promise<void> => {
      const done = deletesWait.then(work);
      deletesWait = done.catch(() => undefined);
      return done;
    };
    const looker = async (own: Random): Promise<void> => {
      while (!isOver) {
        await guarded('a question', () => lookAnywhere(deps, own));
        await sleep(LOOK_EVERY_MS);
      }
    };
    const running = [
      progress(),
      looker(random.fork(5)),
      looker(random.fork(6)),
      again('kill', random.fork(7), () => kills.kill()),
      again('remove', random.fork(8), () => exclusive(() => removals.remove())),
      again('compact', random.fork(9), () => compactions.compact()),
      again('copy', random.fork(10), async () => copies.compare(await copies.take(exclusive))),
    ];
    await until(totalMs);
    // A busy machine may have had no time for what must happen once at least.
    const graceMs = performance.now() + GRACE_MS;
    while (!isOver && tooLittle() && performance.now() < graceMs) await sleep(100);
    isOver = true;
    await Promise.all(running);
    ingest.stop();
    await sending;
    if (failure !== undefined) throw failure;

    report.event('the end begins');
    await guarded('the last compaction', () => compactions.compact());
    await kills.restart();
    await guarded('everything', () => sweep(deps));
    await compactions.searchFiles(removals.gone());
    for (const line of await agent.problems()) {
      report.mismatch({ series: 'none', expected: 'no problem', got: line.slice(0, 400), question: 'the log' });
    }
    const stats = await client.stats();
    return {
      minutes: options.minutes,
      kills: kills.count,
      deletions: doneDeletions(),
      compactions: compactions.count,
      copies: copies.count,
      readyMs: kills.readyMs(),
      samples: ingest.samples,
      repeated: ingest.repeated,
      samplesErased: compactions.samplesErased,
      comparisons: report.comparisons,
      mismatches: report.mismatches,
      shown: report.shown,
      memory: memory.summary(),
      ownBytesMax: memory.ownBytesMax,
      samplesHeld: stats.samples,
      bytesOnDisk: await bytesUnder(agent.store),
    };
  } finally {
    isOver = true;
    ingest.stop();
    await client.close();
    await agent.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Things of each kind that must have happened in a run: one a minute, and one. */
export function leastOf(minutes: number): number {
  return Math.max(1, Math.floor(minutes));
}

/** A time such that what follows within a span lies in the past, and a midnight (UTC) soon after a quarter of the run. */
function baseOf(spanMs: number, runMs: number): number {
  const midnight = Math.floor((Date.now() - spanMs) / DAY_MS) * DAY_MS;
  return midnight - Math.floor(runMs / 4);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function mib(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(0)} MiB`;
}
