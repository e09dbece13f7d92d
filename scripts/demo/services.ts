/**
 * The process of one domain's services, started by the demo with an IPC channel. It is told its domain and its agent,
 * answers with the URLs that it listens on, is then told everybody's URLs, and ends when the channel closes.
 */
import { diag, DiagConsoleLogger, DiagLogLevel } from '@opentelemetry/api';
import { startService } from './service.ts';
import type { RunningService } from './service.ts';
import { installContextPropagation, startTelemetry } from './telemetry.ts';
import { DOMAINS, INSTANCES_PER_SERVICE, SERVICES, locate } from './topology.ts';
import type { Directory } from './topology.ts';

/** What the demo tells this process. */
export type ServicesRequest =
  | { readonly kind: 'start'; readonly domain: string; readonly otlpUrl: string }
  | { readonly kind: 'directory'; readonly directory: Directory };

/** What this process answers: service -> URLs of its instances. */
export interface ServicesReply {
  readonly kind: 'listening';
  readonly services: Readonly<Record<string, readonly string[]>>;
}

let directory: Directory = {};
const running: RunningService[] = [];

async function start(domainName: string, otlpUrl: string): Promise<ServicesReply> {
  const domain = DOMAINS.find((one) => one.name === domainName);
  if (domain === undefined) throw new Error(`the demo has no domain ${domainName}`);
  const services: Record<string, string[]> = {};
  for (const name of domain.services) {
    const spec = SERVICES.find((one) => one.name === name);
    if (spec === undefined) throw new Error(`the demo has no service ${name}`);
    const urls: string[] = [];
    for (let ordinal = 1; ordinal <= INSTANCES_PER_SERVICE; ordinal++) {
      const telemetry = startTelemetry(name, `${name}-${domain.name}-${ordinal}`, otlpUrl);
      const service = await startService({
        spec,
        domain,
        telemetry,
        listen: { host: '127.0.0.1', port: 0 },
        locate: (wanted) => locate(directory, domain.name, wanted),
      });
      running.push(service);
      urls.push(service.url);
    }
    services[name] = urls;
  }
  return { kind: 'listening', services };
}

function stop(): void {
  // The last export may hang on an agent that is gone, so the process ends by itself after a moment in any case.
  setTimeout(() => process.exit(0), 1_500).unref();
  void Promise.allSettled(running.map((service) => service.close())).then(() => process.exit(0));
}

// Exporters report an agent that does not answer here; it goes to this process's log file.
diag.setLogger(new DiagConsoleLogger(), DiagLogLevel.WARN);
installContextPropagation();

process.on('message', (request: ServicesRequest) => {
  if (request.kind === 'directory') {
    directory = request.directory;
    return;
  }
  start(request.domain, request.otlpUrl).then(
    (reply) => process.send?.(reply),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
process.on('disconnect', stop);
process.on('SIGTERM', stop);
// The demo may have died while this file was loading.
if (!process.connected) stop();
