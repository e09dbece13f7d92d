import { setTimeout as sleep } from 'node:timers/promises';
import { askValue } from './ask.ts';
import { dataset, startOf, type Dataset } from './dataset.ts';
import { deliver, withPeers } from './deliver.ts';
import type { Peer } from './peer.ts';
import { startComity, startPrometheus } from './peers.ts';
import { memoryOf, type Memory } from './process-stats.ts';
import { Refusal } from './refusal.ts';
import { judge, leftOut, type Figures, type Row, type Target } from './row.ts';
import { median } from './statistics.ts';
import type { Settings } from './workload.ts';

const LIVE: readonly number[] = [50_000, 200_000];

const MILLION = 1_000_000;

/** From so many series on memory as a whole is what counts: 3 GB for a million. */
const LARGE_TARGET: Target = { kind: 'bound', figure: 'residentBytes', better: 'less', atMost: 3_000 * 1024 * 1024 };
const TARGET: Target = { kind: 'bound', figure: 'bytesPerSeries', better: 'less', atMost: 2_048 };
const START_TARGET: Target = { kind: 'ratio', figure: 'answerMs', better: 'less', atLeast: 1 };

/** Samples in all, as far as at least `SCRAPES_MIN` and at most `SCRAPES_MAX` scrapes of all series are sent. */
const SAMPLES = 6_000_000;
const SCRAPES_MIN = 12;
const SCRAPES_MAX = 60;

/** A collection or a flush that is under way may end. */
const REST_MS = 2_000;

const ANSWER_LOOK_MS = 20;

/** A server that is ready must soon give the right answer. */
const ANSWER_MS = 5 * 60_000;

/** W9: memory of live series of the data set, and how long a start over them takes after SIGKILL. */
export async function memory(settings: Settings, live: readonly number[]): Promise<Row[]> {
  const sizes = live.length > 0 ? live : LIVE;
  const rows: Row[][] = [];
  for (const size of sizes) rows.push(await memoryOfLive(Math.ceil(size * settings.scale), settings));
  // The rows of one shape beside one another.
  return [...rows.map((pair) => pair[0]!), ...rows.map((pair) => pair[1]!)];
}

async function memoryOfLive(series: number, { seed, repeat, progress }: Settings): Promise<Row[]> {
  const scrapes = Math.min(Math.max(Math.ceil(SAMPLES / series), SCRAPES_MIN), SCRAPES_MAX);
  const what = `${series.toLocaleString('en-US')} live series`;
  progress(`W9: ${what}, ${scrapes} scrapes`);
  return withPeers({ comity: startComity, prometheus: startPrometheus }, async (started, peers) => {
    const before = new Map(peers.map((peer) => [peer.name, memoryOf(peer.pid)]));
    const data = dataset({ seed, series, startMs: startOf(scrapes) });
    const { refused } = await deliver(peers, data, scrapes, progress);
    await sleep(REST_MS);
    const question = lastScrape(data);
    const held = new Map<string, Figures>();
    const starts = new Map<string, Figures>();
    for (const peer of peers) {
      if (refused.has(peer.name)) continue;
      const figures = memoryFigures(before.get(peer.name)!, memoryOf(peer.pid), series);
      held.set(peer.name, figures);
      progress(`  ${peer.name}: ${Math.round(figures.residentBytes! / 1024 / 1024)} MB`);
      starts.set(peer.name, await startAfterKill(peer, question, repeat, progress));
    }
    const figuresOf = (all: ReadonlyMap<string, Figures>) =>
      started.map(({ name: peer, peer: server }) => {
        if (server === undefined) return leftOut(peer);
        const why = refused.get(peer);
        return { peer, figures: all.get(peer) ?? {}, ...(why === undefined ? {} : { note: `refused: ${why}` }) };
      });
    return [
      judge('W9 memory', `${what}, ${scrapes} scrapes`, series >= MILLION ? LARGE_TARGET : TARGET, figuresOf(held)),
      judge('W9 start', `${what}, after SIGKILL`, START_TARGET, figuresOf(starts)),
    ];
  });
}

function memoryFigures(before: Memory, { residentBytes, peakBytes }: Memory, series: number): Figures {
  return { residentBytes, peakBytes, bytesPerSeries: (residentBytes - before.residentBytes) / series };
}

interface Question {
  readonly query: string;
  readonly timeMs: number;
  readonly want: number;
}

/** All counters of one service: few enough for any limit of a query. */
function lastScrape({ series }: Dataset): Question {
  const service = 'service-00';
  return {
    query: `count(http_server_requests_total{service="${service}"})`,
    timeMs: series.reduce((latest, { timeMs }) => Math.max(latest, timeMs), 0),
    // One that misses a scrape is still within the lookback.
    want: series.filter(({ kind, labels }) => kind === 'counter' && labels['service'] === service).length,
  };
}

/** Until all listeners are ready, and until the right answer; each from the start of the process, the median of a few. */
async function startAfterKill(
  peer: Peer,
  question: Question,
  repeat: number,
  progress: (line: string) => void,
): Promise<Figures> {
  const ready: number[] = [];
  const answered: number[] = [];
  for (let round = 0; round < repeat; round++) {
    await peer.kill();
    const startedMs = performance.now();
    ready.push(await peer.start());
    await untilRight(peer, question);
    answered.push(performance.now() - startedMs);
    progress(`  ${peer.name} after SIGKILL, ${round + 1} of ${repeat}: ${answered.at(-1)!.toFixed(0)} ms`);
  }
  return { readyMs: median(ready)!, answerMs: median(answered)! };
}

async function untilRight(peer: Peer, { query, timeMs, want }: Question): Promise<void> {
  const deadlineMs = performance.now() + ANSWER_MS;
  for (;;) {
    const got = await askValue(peer, query, timeMs).catch((error: unknown) => {
      // One that is still reading may say so.
      if (error instanceof Refusal) return error.message;
      throw error;
    });
    if (got === want) return;
    if (performance.now() > deadlineMs) throw new Error(`${peer.name}: ${query} is ${got ?? 'empty'}, not ${want}`);
    await sleep(ANSWER_LOOK_MS);
  }
}
