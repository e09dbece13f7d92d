import { availableParallelism } from 'node:os';
import type { FastifyInstance } from 'fastify';
import { buildInfoJson } from '../../api/query.ts';
import { printDuration } from '../../promql/duration.ts';
import { sendSuccess } from './envelope.ts';

export interface StatusApiDeps {
  readonly lookbackMs: number;
  readonly queryTimeoutMs: number;
}

/**
 * What Prometheus's HTTP API tells of the server itself, as far as it holds for a hub: it scrapes nothing and notifies nobody, so
 * these lists are empty, and of what it has not (a configuration in Prometheus's form, a database) there is no path.
 */
export function statusApi(app: FastifyInstance, { lookbackMs, queryTimeoutMs }: StatusApiDeps): void {
  const startTime = new Date().toISOString();
  const flags = {
    'query.lookback-delta': printDuration(lookbackMs),
    'query.timeout': printDuration(queryTimeoutMs),
  };
  const fixed: Readonly<Record<string, object>> = {
    'status/flags': flags,
    targets: { activeTargets: [], droppedTargets: [], droppedTargetCounts: {} },
    alertmanagers: { activeAlertmanagers: [], droppedAlertmanagers: [] },
  };
  for (const [path, data] of Object.entries(fixed)) {
    const text = JSON.stringify(data);
    app.get(`/api/v1/${path}`, (_request, reply) => sendSuccess(reply, text));
  }
  app.get('/api/v1/status/buildinfo', (_request, reply) => sendSuccess(reply, buildInfoJson()));
  app.get('/api/v1/status/runtimeinfo', (_request, reply) =>
    sendSuccess(
      reply,
      JSON.stringify({
        startTime,
        // Where it runs is nobody's business.
        CWD: '',
        hostname: '',
        serverTime: new Date().toISOString(),
        reloadConfigSuccess: true,
        lastConfigTime: startTime,
        corruptionCount: 0,
        // Of Go's runtime there is none; clients expect the numbers.
        goroutineCount: 0,
        GOMAXPROCS: availableParallelism(),
        GOMEMLIMIT: 0,
        GOGC: '',
        GODEBUG: '',
        storageRetention: '',
      }),
    ),
  );
}
