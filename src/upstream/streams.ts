import type { Logger } from 'pino';
import type { StreamCounts } from '../coverage/streams.ts';
import { callApi } from './api.ts';
import type { ServerClient, Until } from './client.ts';
import { recordOf } from './matrix.ts';
import type { Engine, Server } from './server.ts';

/** What the server knows of what delivers to it, as it was found last. */
export interface SourceState extends Omit<StreamCounts, 'untracked'> {
  /** Bytes of the raw samples in its head, roughly; 0 where it does not tell. */
  readonly rawBytesHeld: number;
  readonly isUp: boolean;
}

/** Watches a server in the background. */
export interface SourceWatch {
  state(): SourceState;
  close(): Promise<void>;
}

/** How often the server is asked, and how long it may take. */
const POLL_MS = 5_000;
/** Where nothing tells of targets all series have to be looked at. */
const JOBS_POLL_MS = 60_000;

/** Targets that were seen within this are expected. */
const EXPECTED_FOR = '1h';

/** A target counts as observed while it was up within this: its marker of an end, or a scrape that failed, ends it before. */
const FRESH_FOR = '5m';

export function watchSource(
  client: ServerClient,
  server: (until: Until) => Promise<Server>,
  log: Logger,
  pollMs: number = POLL_MS,
): SourceWatch {
  const stopped = new AbortController();
  let state: SourceState = { expected: 0, observed: 0, settledUntilMs: 0, rawBytesHeld: 0, isUp: false };
  let wasUp = true;
  let jobsAtMs = -Infinity;
  let jobs: StreamFigures | undefined;

  async function poll(): Promise<void> {
    const until = { deadlineMs: Date.now() + Math.max(pollMs, POLL_MS), signal: stopped.signal };
    const { engine } = await server(until);
    let figures = await figuresOf(client, targetQueries(engine), until);
    if (figures.expected === 0) {
      if (jobs === undefined || performance.now() - jobsAtMs >= JOBS_POLL_MS) {
        jobs = await figuresOf(client, jobQueries(engine), until);
        jobsAtMs = performance.now();
      }
      figures = jobs;
    }
    const rawBytesHeld = await headBytes(client, until);
    const settledUntilMs = Math.max(figures.settledUntilMs, state.settledUntilMs);
    const expected = Math.max(figures.expected, figures.observed);
    state = { expected, observed: figures.observed, settledUntilMs, rawBytesHeld, isUp: true };
  }

  async function pollSafely(): Promise<void> {
    try {
      await poll();
      if (!wasUp) log.info('the server of this domain answers again');
      wasUp = true;
    } catch (error) {
      if (stopped.signal.aborted) return;
      state = { ...state, observed: 0, isUp: false };
      if (wasUp) log.warn({ err: error }, 'the server of this domain does not answer');
      wasUp = false;
    }
  }

  const running = (async () => {
    while (!stopped.signal.aborted) {
      await pollSafely();
      await pause(pollMs, stopped.signal);
    }
  })();
  return {
    state: () => state,
    async close() {
      stopped.abort();
      await running;
    },
  };
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(done, ms);
    timer.unref();
    signal.addEventListener('abort', done, { once: true });
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
  });
}

type StreamFigures = Omit<StreamCounts, 'untracked'>;

interface FigureQueries {
  readonly expected: string;
  readonly observed: string;
  /** Seconds since the epoch. */
  readonly settledUntil: string;
}

/** A stream is a scrape target: what `up` tells of. */
function targetQueries(engine: Engine): FigureQueries {
  const isUp = `${instant(engine, 'up', FRESH_FOR)} == 1`;
  return {
    expected: `count(count by (job, instance) (count_over_time(up[${EXPECTED_FOR}])))`,
    observed: `count(count by (job, instance) (${isUp}))`,
    settledUntil: `min(${timesOf(engine, 'up', FRESH_FOR)} and (${isUp}))`,
  };
}

/** Without targets a stream is what the samples of one job come from. */
function jobQueries(engine: Engine): FigureQueries {
  const all = '{job!=""}';
  return {
    expected: `count(count by (job) (count_over_time(${all}[${EXPECTED_FOR}])))`,
    observed: `count(count by (job) (${instant(engine, all, FRESH_FOR)}))`,
    settledUntil: `min(max by (job) (${timesOf(engine, all, FRESH_FOR)}))`,
  };
}

function instant(engine: Engine, selector: string, window: string): string {
  return engine === 'prometheus' ? selector : `default_rollup(${selector}[${window}])`;
}

function timesOf(engine: Engine, selector: string, window: string): string {
  return engine === 'prometheus' ? `timestamp(${selector})` : `timestamp(${selector}[${window}])`;
}

async function figuresOf(client: ServerClient, queries: FigureQueries, until: Until): Promise<StreamFigures> {
  const ask = async (query: string): Promise<number> => {
    const params = new URLSearchParams({
      query,
      lookback_delta: FRESH_FOR,
      max_lookback: FRESH_FOR,
      nocache: '1',
      latency_offset: '1ms',
    });
    const { result } = recordOf((await callApi(client, '/api/v1/query', params, until)).data);
    const [first] = Array.isArray(result) ? (result as unknown[]) : [];
    const { value } = first === undefined ? {} : recordOf(first);
    const figure = Array.isArray(value) ? Number(value[1]) : 0;
    return Number.isFinite(figure) ? figure : 0;
  };
  const [expected, observed, settledUntil] = await Promise.all([
    ask(queries.expected),
    ask(queries.observed),
    ask(queries.settledUntil),
  ]);
  return { expected, observed, settledUntilMs: Math.floor(settledUntil * 1000) };
}

/** Samples that Prometheus puts into a chunk, and the bytes of each as a time and a value. */
const CHUNK_SAMPLES = 120;
const SAMPLE_BYTES = 16;

async function headBytes(client: ServerClient, until: Until): Promise<number> {
  try {
    const { data } = await callApi(client, '/api/v1/status/tsdb', new URLSearchParams({ limit: '1' }), {
      ...until,
      isGet: true,
    });
    const chunks = Number(recordOf(recordOf(data)['headStats'] ?? {})['chunkCount'] ?? 0);
    return Number.isFinite(chunks) ? chunks * CHUNK_SAMPLES * SAMPLE_BYTES : 0;
  } catch {
    // It is a figure for people, which other servers do not give.
    return 0;
  }
}
