import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import type { Random } from '../random.ts';
import { GROUPS, makeRequest, type Request } from './batches.ts';
import type { Model } from './model.ts';

/** Sends the schedule's rounds, one after the other, each until all of it is acknowledged. */
export interface Ingest {
  /** Runs until `stop`; rejects when a request is refused for good. */
  run(): Promise<void>;
  stop(): void;
  /** Ends `run` even though the agent does not answer. */
  abandon(): void;
  /** Waits for the end of the round and runs `work` before the next one begins. */
  between<T>(work: () => Promise<T>): Promise<T>;
  readonly samples: number;
  /** Requests that were sent again because no answer came, or one that says so, or one was lost. */
  readonly repeated: number;
}

export interface IngestOptions {
  readonly url: string;
  readonly model: Model;
  readonly random: Random;
  /** Rounds to be sent in all, and how far from one to the next. */
  readonly rounds: number;
  readonly roundMs: number;
}

/** After a failure a sender waits this long: most are the agent's being dead, which takes a second to mend. */
const RETRY_MS = 50;
/** An answer that does not come within this time never will. */
const ANSWER_MS = 20_000;
/** One answer in so many is taken for lost although it came: the request is then sent again to an agent that has it. */
const LOST_ANSWERS = 40;

export function startIngest({ url, model, random, rounds, roundMs }: IngestOptions): Ingest {
  const pool = new Pool(url, { connections: GROUPS.length, bodyTimeout: ANSWER_MS, headersTimeout: ANSWER_MS });
  let isStopped = false;
  let isAbandoned = false;
  let hasEnded = false;
  let samples = 0;
  let repeated = 0;
  const waiting: (() => Promise<void>)[] = [];

  async function sendGroup(group: number, round: number): Promise<void> {
    const request = makeRequest(model.schedule, group, round);
    if (request !== undefined) {
      while (!(await deliver(pool, request)) || random.chance(1 / LOST_ANSWERS)) {
        if (isAbandoned) throw new Error('nothing is sent any more');
        repeated++;
        await sleep(RETRY_MS);
      }
      samples += request.samples;
    }
    model.acknowledged[group] = round;
  }

  return {
    async run() {
      try {
        let dueMs = performance.now();
        while (!isStopped && model.attempted + 1 < rounds) {
          model.attempted++;
          await Promise.all(GROUPS.map((_kinds, group) => sendGroup(group, model.attempted)));
          for (let work = waiting.shift(); work !== undefined; work = waiting.shift()) await work();
          // What a killed agent has missed is not made up for.
          dueMs = Math.max(dueMs + roundMs, performance.now() - roundMs);
          await sleep(Math.max(0, dueMs - performance.now()));
        }
      } finally {
        hasEnded = true;
        for (let work = waiting.shift(); work !== undefined; work = waiting.shift()) await work();
        await pool.destroy();
      }
    },
    stop() {
      isStopped = true;
    },
    abandon() {
      isStopped = true;
      isAbandoned = true;
    },
    between: (work) =>
      new Promise((resolve, reject) => {
        const done = async (): Promise<void> => {
          await work().then(resolve, reject);
        };
        if (hasEnded) void done();
        else waiting.push(done);
      }),
    get samples() {
      return samples;
    },
    get repeated() {
      return repeated;
    },
  };
}

/** Whether the request was acknowledged. Throws when it never can be. */
async function deliver(pool: Pool, { path, headers, body }: Request): Promise<boolean> {
  let statusCode: number;
  let text: string;
  try {
    const response = await pool.request({ method: 'POST', path, headers, body });
    statusCode = response.statusCode;
    text = await response.body.text();
  } catch {
    return false;
  }
  if (statusCode === 503) return false;
  if (statusCode > 299 || (text.includes('partialSuccess') && text.includes('rejected'))) {
    throw new Error(`${path} answered ${statusCode} ${text.slice(0, 400)}`);
  }
  return true;
}
