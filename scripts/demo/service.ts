import { createServer } from 'node:http';
import type { IncomingMessage, Server } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { SpanKind, SpanStatusCode, context, propagation, trace } from '@opentelemetry/api';
import type { Attributes, Span } from '@opentelemetry/api';
import pLimit from 'p-limit';
import type { Telemetry } from './telemetry.ts';
import type { Call, DomainSpec, Route, ServiceSpec } from './topology.ts';

export interface ServiceOptions {
  readonly spec: ServiceSpec;
  readonly domain: DomainSpec;
  readonly telemetry: Telemetry;
  /** Where it listens; port 0 takes a free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Base URL of an instance of the named service. */
  locate(service: string): string;
}

export interface RunningService {
  readonly url: string;
  close(): Promise<void>;
}

/** Bucket bounds in seconds that the HTTP semantic conventions advise for request durations. */
const DURATION_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/** A call that takes longer has failed; far above any latency that the demo draws. */
const CALL_TIMEOUT_MS = 5_000;

/** The longest work drawn for one request: the tail of a log-normal has no end. */
const WORK_MS_MAX = 4_000;

/** Customers that place orders. Each is a label value that no policy lets out. */
const CUSTOMERS = 25;

/**
 * Starts one instance of a service: real HTTP, a server span and the duration histogram for
 * every request, a client span and trace context for every call it makes.
 */
export async function startService(options: ServiceOptions): Promise<RunningService> {
  const { spec, telemetry } = options;
  const queue = pLimit(spec.workers);
  const serverDuration = telemetry.meter.createHistogram('http.server.request.duration', {
    unit: 's',
    description: 'Duration of HTTP server requests.',
    advice: { explicitBucketBoundaries: DURATION_BOUNDS },
  });
  telemetry.meter
    .createObservableGauge('demo.queue.depth', { description: 'Requests in work or waiting for it.' })
    .addCallback((result) => result.observe(queue.activeCount + queue.pendingCount));
  const work = workOf(options);

  const server = createServer((request, response) => {
    const startMs = performance.now();
    const method = request.method ?? 'GET';
    const route = spec.routes.find((one) => one.method === method && matches(one.template, request.url ?? '/'));
    const attributes: Attributes = {
      'http.request.method': method,
      'url.scheme': 'http',
      ...(route === undefined ? {} : { 'http.route': route.template }),
    };
    const handled = telemetry.tracer.startActiveSpan(
      route === undefined ? method : `${method} ${route.template}`,
      { kind: SpanKind.SERVER, attributes },
      propagation.extract(context.active(), request.headers),
      async (span) => {
        request.resume();
        const status = route === undefined ? 404 : await queue(() => work(route));
        const outcome = outcomeOf(status);
        span.setAttributes(outcome);
        if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
        span.end();
        serverDuration.record((performance.now() - startMs) / 1_000, { ...attributes, ...outcome });
        response.writeHead(status, { 'content-type': 'application/json' }).end(`{"status":${status}}\n`);
      },
    );
    handled.catch((error: unknown) => {
      console.error(`${spec.name}: ${String(error)}`);
      response.destroy();
    });
  });
  const url = await listen(server, options.listen);
  return {
    url,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await telemetry.shutdown();
    },
  };
}

/** The work behind a route: its calls one after the other, its own latency, its failures. Gives the HTTP status. */
function workOf(options: ServiceOptions): (route: Route) => Promise<number> {
  const { domain, telemetry } = options;
  const clientDuration = telemetry.meter.createHistogram('http.client.request.duration', {
    unit: 's',
    description: 'Duration of HTTP client requests.',
    advice: { explicitBucketBoundaries: DURATION_BOUNDS },
  });
  const orders = telemetry.meter.createCounter('demo.orders', { description: 'Orders placed, by customer.' });
  const spend = telemetry.meter.createCounter('customer.spend', {
    unit: 'EUR',
    description: 'Money spent, by customer.',
  });

  async function call(target: Call): Promise<number> {
    const url = new URL(target.path, options.locate(target.service));
    const attributes: Attributes = {
      'http.request.method': target.method,
      'server.address': url.hostname,
      'server.port': Number(url.port),
    };
    const startMs = performance.now();
    return telemetry.tracer.startActiveSpan(target.method, { kind: SpanKind.CLIENT, attributes }, async (span) => {
      const status = await send(target.method, url, span);
      const outcome = outcomeOf(status);
      span.setAttributes(outcome);
      if (status >= 400) span.setStatus({ code: SpanStatusCode.ERROR });
      span.end();
      clientDuration.record((performance.now() - startMs) / 1_000, { ...attributes, ...outcome });
      return status;
    });
  }

  return async (route) => {
    await sleep(Math.min(logNormal(route.medianMs * domain.latencyFactor), WORK_MS_MAX));
    for (const target of route.calls) {
      if ((await call(target)) >= 500) return 502;
    }
    if (Math.random() < domain.failureRatio) return 500;
    if (route.order) {
      const customer = { 'customer.id': `c-${Math.floor(Math.random() * CUSTOMERS)}` };
      orders.add(1, customer);
      spend.add(Math.round(500 + Math.random() * 9_500) / 100, customer);
    }
    return 200;
  };
}

/** Sends a request with the span's trace context in its headers; 503 stands for no answer at all. */
async function send(method: string, url: URL, span: Span): Promise<number> {
  const headers: Record<string, string> = {};
  propagation.inject(trace.setSpan(context.active(), span), headers);
  try {
    const response = await fetch(url, { method, headers, signal: AbortSignal.timeout(CALL_TIMEOUT_MS) });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 503;
  }
}

function outcomeOf(status: number): Attributes {
  return {
    'http.response.status_code': status,
    ...(status >= 500 ? { 'error.type': String(status) } : {}),
  };
}

/** Whether a request's path has the template's form: `/stock/7` matches `/stock/{id}`. */
function matches(template: string, url: string): boolean {
  const wanted = template.split('/');
  const found = url.split('?', 1)[0]?.split('/') ?? [];
  return (
    wanted.length === found.length && wanted.every((part, at) => part === found[at] || (part === '{id}' && !!found[at]))
  );
}

/** A log-normal draw with the given median: the usual shape of request latencies, with a long tail. */
function logNormal(median: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  return median * Math.exp(0.6 * normal);
}

async function listen(
  server: Server<typeof IncomingMessage>,
  { host, port }: ServiceOptions['listen'],
): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the server listens on no TCP port');
  return `http://${host}:${address.port}`;
}
