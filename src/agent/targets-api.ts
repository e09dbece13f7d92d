import type { FastifyInstance } from 'fastify';
import type { TargetStatus } from './scrape/scraper.ts';

/**
 * GET /api/v1/targets: what is scraped and how it goes, in Prometheus's form
 * (https://prometheus.io/docs/prometheus/latest/querying/api/#targets). A target that cannot be scraped as it is counts as
 * active and down, with the reason, which Prometheus only logs.
 */
export function targetsApi(app: FastifyInstance, targets: () => readonly TargetStatus[]): void {
  app.get('/api/v1/targets', async (_request, reply) => {
    const all = targets();
    const dropped = all.filter(({ state }) => state === 'dropped');
    const data = {
      activeTargets: all.filter(({ state }) => state !== 'dropped').map(activeTarget),
      droppedTargets: dropped.map(({ job, discoveredLabels }) => ({ discoveredLabels, scrapePool: job })),
      droppedTargetCounts: Object.fromEntries(
        [...Map.groupBy(dropped, ({ job }) => job)].map(([job, list]) => [job, list.length]),
      ),
    };
    return reply.type('application/json; charset=utf-8').send(JSON.stringify({ status: 'success', data }));
  });
}

/** Prometheus's words for the time of a target that was never scraped. */
const NEVER = '0001-01-01T00:00:00Z';

function activeTarget(target: TargetStatus): Record<string, unknown> {
  return {
    discoveredLabels: target.discoveredLabels,
    labels: target.labels,
    scrapePool: target.job,
    scrapeUrl: target.url,
    globalUrl: target.url,
    lastError: target.lastError ?? '',
    lastScrape: target.lastScrapeMs === undefined ? NEVER : new Date(target.lastScrapeMs).toISOString(),
    lastScrapeDuration: target.lastDurationSeconds,
    health: target.state === 'refused' ? 'down' : target.health,
    scrapeInterval: `${target.intervalMs / 1_000}s`,
    scrapeTimeout: `${target.timeoutMs / 1_000}s`,
  };
}
