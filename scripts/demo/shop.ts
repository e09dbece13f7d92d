/**
 * One domain's services and its shoppers as a program of its own, for a container: `shop.ts DOMAIN --otlp URL`. The
 * services of all domains listen on the same ports, each domain's on a host of its own.
 */
import { diag, DiagConsoleLogger, DiagLogLevel } from '@opentelemetry/api';
import { Command, Option } from 'commander';
import { runLoad } from './load.ts';
import { startService } from './service.ts';
import { installContextPropagation, startTelemetry } from './telemetry.ts';
import { DOMAINS, INSTANCES_PER_SERVICE, SERVICES, locate, type Directory } from './topology.ts';

const FIRST_PORT = 8001;

interface Options {
  readonly otlp: string;
  readonly hosts: string;
}

const command = new Command('shop.ts')
  .description('Runs the services of one demo domain, and its shoppers.')
  .argument('<domain>', `one of ${DOMAINS.map(({ name }) => name).join(', ')}`)
  .addOption(new Option('--otlp <url>', 'where telemetry goes').makeOptionMandatory())
  .option('--hosts <pattern>', 'the host of a domain’s services', 'shop-{domain}')
  .parse();
const [name] = command.args;
const { otlp, hosts } = command.opts<Options>();
const domain = DOMAINS.find((one) => one.name === name) ?? command.error(`the demo has no domain ${name}`);
const directory = everywhere(hosts);
const stopping = new AbortController();

diag.setLogger(new DiagConsoleLogger(), DiagLogLevel.WARN);
installContextPropagation();
const running = await Promise.all(
  SERVICES.filter((spec) => domain.services.includes(spec.name)).flatMap((spec) =>
    portsOf(spec.name).map((port, at) =>
      startService({
        spec,
        domain,
        telemetry: startTelemetry(spec.name, `${spec.name}-${domain.name}-${at + 1}`, otlp),
        listen: { host: '0.0.0.0', port },
        locate: (wanted) => locate(directory, domain.name, wanted),
      }),
    ),
  ),
);
console.error(`${domain.name}: ${running.length} instances of ${domain.services.join(', ')}, telemetry to ${otlp}`);
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stopping.abort());
await runLoad(directory, [domain], stopping.signal);
await Promise.allSettled(running.map((service) => service.close()));
process.exit();

/** Where each instance of each service is, in all domains. */
function everywhere(pattern: string): Directory {
  return Object.fromEntries(
    DOMAINS.map(({ name: of, services }) => {
      const host = pattern.replace('{domain}', of);
      return [
        of,
        Object.fromEntries(services.map((one) => [one, portsOf(one).map((port) => `http://${host}:${port}`)])),
      ];
    }),
  );
}

function portsOf(service: string): number[] {
  const first = FIRST_PORT + SERVICES.findIndex((one) => one.name === service) * INSTANCES_PER_SERVICE;
  return Array.from({ length: INSTANCES_PER_SERVICE }, (_none, at) => first + at);
}
