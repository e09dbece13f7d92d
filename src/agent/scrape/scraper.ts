import { hostname } from 'node:os';
import type { Logger } from 'pino';
import { ComityError, toComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { labelsRecord } from '../../model/labels.ts';
import { byteTable } from '../../wire/byte-table.ts';
import type { ReceiverDeps } from '../receiver.ts';
import type { BodyBudget } from '../request-body.ts';
import { scrapeClient, type ScrapeClient } from './client.ts';
import { watchFileTargets, type FileTargets } from './file-targets.ts';
import type { ScrapeJob, TargetGroup } from './job.ts';
import { scrapeLoop, type ScrapeLoop } from './loop.ts';
import { makeTarget, scrapeOffsetMs, type Target } from './target.ts';
import { targetScraper, type ScrapeEnvironment, type TargetHealth, type TargetScraper } from './target-scraper.ts';

/** Scrapes the targets of all jobs, in the background. */
export interface Scraper {
  /** All targets there are now, those that relabelling dropped last. */
  targets(): TargetStatus[];
  /** Ends all scrapes. As Prometheus, it marks nothing as stale: the agent will go on where it was. */
  close(): Promise<void>;
}

/** One target as it stands. */
export interface TargetStatus {
  readonly job: string;
  /** `dropped` by relabelling, `refused` because it cannot be scraped as it is (`lastError` says why). */
  readonly state: 'active' | 'dropped' | 'refused';
  readonly discoveredLabels: Readonly<Record<string, string>>;
  /** Empty unless active. */
  readonly labels: Readonly<Record<string, string>>;
  readonly url: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly health: TargetHealth['health'];
  readonly lastScrapeMs: number | undefined;
  readonly lastDurationSeconds: number;
  readonly lastError: string | undefined;
}

export interface ScraperDeps extends ReceiverDeps {
  readonly log: Logger;
  /** Bytes of bodies held at once, shared with all receivers. */
  readonly budget: BodyBudget;
}

/** What all jobs share. */
interface Shared extends ScrapeEnvironment {
  /** Targets that are scraped; at most `LIMITS.scrapeTargets`. */
  active: number;
  /** Numbers of targets in the table of keys. */
  nextId: number;
  readonly seed: string;
  readonly budget: BodyBudget;
}

/** Starts to scrape. Resolves when the targets in files were read once; the first scrapes come within their interval. */
export async function startScraper(jobs: readonly ScrapeJob[], deps: ScraperDeps): Promise<Scraper> {
  const shared: Shared = {
    deps,
    log: deps.log,
    keys: byteTable(LIMITS.seriesCacheBytes),
    active: 0,
    nextId: 1,
    // Two agents of one domain must not ask their targets at the same moments.
    seed: `${hostname()}\n${deps.domain}`,
    budget: deps.budget,
  };
  const pools = jobs.map((job) => scrapePool(job, shared));
  await Promise.all(pools.map((pool) => pool.start()));
  return {
    targets: () => {
      const all = pools.flatMap((pool) => pool.targets());
      return [...all.filter(({ state }) => state !== 'dropped'), ...all.filter(({ state }) => state === 'dropped')];
    },
    async close() {
      await Promise.all(pools.map((pool) => pool.close()));
    },
  };
}

interface ScrapePool {
  start(): Promise<void>;
  targets(): TargetStatus[];
  close(): Promise<void>;
}

interface Running {
  readonly target: Target;
  readonly scraper: TargetScraper;
  readonly loop: ScrapeLoop;
}

/** The targets of one job. */
function scrapePool(job: ScrapeJob, shared: Shared): ScrapePool {
  const { deps, log } = shared;
  const about = { scrape_job: job.name };
  const client: ScrapeClient = scrapeClient(job, shared.budget);
  const running = new Map<string, Running>();
  /** Loops of targets that are gone and whose series become stale soon. */
  const leaving = new Set<ScrapeLoop>();
  let unscraped: TargetStatus[] = [];
  const fromFiles: (readonly TargetGroup[])[] = job.files.map(() => []);
  const files: FileTargets[] = job.files.map(({ patterns, refreshMs }, index) =>
    watchFileTargets({
      patterns,
      refreshMs,
      onGroups(groups) {
        fromFiles[index] = groups;
        sync();
      },
      onProblem: (path, error) => log.error({ ...about, path, reason: error.message }, 'targets could not be read'),
    }),
  );

  /** Starts and stops loops so that they fit the groups. */
  function sync(): void {
    const { found, others } = resolveTargets(job, [...job.groups, ...fromFiles.flat()]);
    for (const { state, lastError, discoveredLabels } of others) {
      if (state === 'refused') log.error({ ...about, reason: lastError, discoveredLabels }, 'a target is not scraped');
    }
    for (const [key, { loop }] of running) {
      if (found.has(key)) continue;
      running.delete(key);
      shared.active--;
      leaving.add(loop);
      void loop.ended.then(() => leaving.delete(loop));
      loop.leave();
    }
    let refused = 0;
    for (const [key, target] of found) {
      if (running.has(key)) continue;
      if (shared.active >= LIMITS.scrapeTargets) {
        refused++;
        continue;
      }
      running.set(key, begin(target));
    }
    if (refused > 0) {
      log.error(
        { ...about, refused },
        `targets are not scraped: the agent has ${LIMITS.scrapeTargets} (scrapeTargets)`,
      );
    }
    const limit = targetLimitError(job, running.size);
    for (const { scraper } of running.values()) scraper.forbid(limit);
    unscraped = others;
  }

  function begin(target: Target): Running {
    shared.active++;
    const scraper = targetScraper(target, job, client, shared, shared.nextId++);
    const loop = scrapeLoop(scraper, {
      intervalMs: target.intervalMs,
      offsetMs: scrapeOffsetMs(target, shared.seed),
      now: () => deps.now(),
      onFault: (error) => log.error({ ...about, target: target.url, err: error }, 'fault in a scrape'),
    });
    return { target, scraper, loop };
  }

  return {
    async start() {
      sync();
      await Promise.all(files.map((file) => file.refresh()));
    },
    targets: () => [...Array.from(running.values(), (one) => activeStatus(job, one)), ...unscraped],
    async close() {
      for (const file of files) file.close();
      const loops = [...Array.from(running.values(), ({ loop }) => loop), ...leaving];
      await Promise.all(loops.map((loop) => loop.close()));
      await client.close();
    },
  };
}

/** The targets by key: one that is found twice is scraped once. */
function resolveTargets(
  job: ScrapeJob,
  groups: readonly TargetGroup[],
): { found: Map<string, Target>; others: TargetStatus[] } {
  const found = new Map<string, Target>();
  const others: TargetStatus[] = [];
  for (const { targets, labels } of groups) {
    for (const address of targets) {
      try {
        const target = makeTarget(job, address, labels);
        if ('dropped' in target)
          addBounded(others, idleStatus(job, 'dropped', labelsRecord(target.dropped), undefined));
        else if (target.labels.length > 0) found.set(target.key, target);
        else addBounded(others, idleStatus(job, 'dropped', labelsRecord(target.discovered), undefined));
      } catch (error) {
        const { message } = toComityError(error);
        addBounded(others, idleStatus(job, 'refused', { ...labels, __address__: address }, message));
      }
    }
  }
  return { found, others };
}

/** Those that are not scraped are shown only: more than there may be targets help nobody. */
function addBounded(list: TargetStatus[], status: TargetStatus): void {
  if (list.length < LIMITS.scrapeTargets) list.push(status);
}

function targetLimitError({ targetLimit }: ScrapeJob, targets: number): ComityError | undefined {
  if (targetLimit === 0 || targets <= targetLimit) return undefined;
  return new ComityError('limit', `the job has ${targets} targets, target_limit is ${targetLimit}`);
}

function activeStatus(job: ScrapeJob, { target, scraper }: Running): TargetStatus {
  return {
    job: job.name,
    state: 'active',
    discoveredLabels: labelsRecord(target.discovered),
    labels: labelsRecord(target.labels),
    url: target.url,
    intervalMs: target.intervalMs,
    timeoutMs: target.timeoutMs,
    ...scraper.health(),
  };
}

function idleStatus(
  job: ScrapeJob,
  state: 'dropped' | 'refused',
  discoveredLabels: Readonly<Record<string, string>>,
  lastError: string | undefined,
): TargetStatus {
  return {
    job: job.name,
    state,
    discoveredLabels,
    labels: {},
    url: '',
    intervalMs: job.intervalMs,
    timeoutMs: job.timeoutMs,
    health: 'unknown',
    lastScrapeMs: undefined,
    lastDurationSeconds: 0,
    lastError,
  };
}
