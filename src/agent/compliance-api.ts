import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { FastifyInstance } from 'fastify';
import pLimit from 'p-limit';
import type { Logger } from 'pino';
import { sendData, sendErrors } from '../api/envelope.ts';
import { invalid, requestParams, timeParam } from '../api/params.ts';
import { ComityError, type ErrorCode } from '../base/errors.ts';
import { httpServer, listen } from '../base/http.ts';
import type { ReportOptions } from '../ledger/report/report.ts';
import { bearerOf } from './bearer.ts';
import type { ComplianceConfig } from './compliance-config.ts';

interface ComplianceApiDeps {
  readonly domain: string;
  /** The ledger's SQLite file. */
  readonly path: string;
  readonly vkey: string;
  onFault(error: ComityError): void;
}

export interface ReportStart extends Pick<ComplianceApiDeps, 'path' | 'vkey'> {
  readonly options: ReportOptions;
  readonly format: 'html' | 'json';
}

export type ReportAnswer = { readonly text: string } | { readonly code: ErrorCode; readonly message: string };

/** What an agent's configuration says of its ledger's readers. */
interface ComplianceOptions {
  readonly domain: string;
  readonly compliance?: ComplianceConfig | undefined;
  /** The ledger's SQLite file. */
  readonly ledger: string;
}

/** Starts the listener for the compliance role, if there is to be one. */
export async function openCompliance(
  { domain, compliance, ledger }: ComplianceOptions,
  vkey: string,
  log: Logger,
): Promise<{ readonly url: string; close(): Promise<void> } | undefined> {
  if (compliance === undefined) return undefined;
  const app = httpServer(log);
  const onFault = (error: ComityError): void => log.error({ err: error }, 'compliance fault');
  complianceApi(app, compliance.token, { domain, path: ledger, vkey, onFault });
  return { url: await listen(app, compliance.listen), close: async () => app.close() };
}

/**
 * What the compliance role of the domain may ask its agent, with its token as a bearer token:
 * GET /compliance/v1/report?from=…&to=…[&domain=…][&format=html]. Times as in Prometheus's API; the last 30 days when left out. The report
 * is for people of the domain: nothing of it goes over the border.
 */
function complianceApi(app: FastifyInstance, token: string, deps: ComplianceApiDeps): void {
  const { domain, path, vkey } = deps;
  const isKnown = bearerOf([{ token, value: true }]);
  const oneAtATime = pLimit(1);
  sendErrors(app, deps.onFault);
  app.addHook('onRequest', async ({ headers }) => {
    if (isKnown(headers.authorization) !== true) {
      throw new ComityError('unauthorized', 'the request does not carry the token of the compliance role');
    }
  });
  app.get('/compliance/v1/report', async (request, reply) => {
    const params = requestParams(request);
    const madeMs = Date.now();
    const toMs = timeParam(params, 'to') ?? madeMs;
    const fromMs = timeParam(params, 'from') ?? toMs - PERIOD_MS;
    if (fromMs >= toMs) throw invalid('from', 'it is not before "to"');
    const asked = params.get('domain') ?? domain;
    if (asked !== domain) throw new ComityError('not_found', `this is the agent of ${domain}, not of ${asked}`);
    const format = params.get('format') ?? 'json';
    if (format !== 'json' && format !== 'html') throw invalid('format', 'it is json or html');
    if (oneAtATime.pendingCount >= WAITING_MAX) throw new ComityError('overloaded', 'other reports are being made');
    const options = { domain, fromMs, toMs, madeMs };
    const text = await oneAtATime(() => reportInThread({ path, vkey, options, format }));
    return format === 'html' ? reply.type('text/html; charset=utf-8').send(text) : sendData(reply, text);
  });
}

const PERIOD_MS = 30 * 24 * 60 * 60 * 1000;

/** Reports that wait for the one that is being made. */
const WAITING_MAX = 4;

async function reportInThread(start: ReportStart): Promise<string> {
  const worker = new Worker(new URL('./compliance-worker.ts', import.meta.url), { workerData: start });
  const [answer] = (await once(worker, 'message')) as [ReportAnswer];
  if ('text' in answer) return answer.text;
  throw new ComityError(answer.code, answer.message);
}
