import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { freePorts, startProgram, waitUntilReady } from '../../scripts/demo/processes.ts';
import type { Canaries } from './canaries.ts';
import type { AgentPrograms } from './domain.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** Agents and hubs in processes of their own, started by the command line that people use. */
export const REAL_PROCESSES: AgentPrograms = {
  isOfThisProcess: false,
  port: async () => (await freePorts(1))[0]!,
  async startAgent(configPath) {
    const { listen } = parse(readFileSync(configPath, 'utf8')) as { readonly listen: Readonly<Record<string, string>> };
    const url = (of: string): string => `http://${listen[of]}`;
    const logPath = join(dirname(configPath), 'agent.log');
    const program = startProgram({ name: 'the agent', args: [MAIN, 'agent', '--config', configPath], logPath });
    await waitUntilReady(program, `${url('otlp')}/-/ready`, logPath);
    return {
      receivers: { otlpUrl: url('otlp'), grpcUrl: url('otlp_grpc') },
      queryUrl: url('query'),
      federationUrl: url('federation'),
      log: () => readFileSync(logPath, 'utf8'),
      close: () => program.stop(),
    };
  },
  async startHub(configPath) {
    const { listen } = parse(readFileSync(configPath, 'utf8')) as { readonly listen: string };
    const logPath = join(dirname(configPath), 'hub.log');
    const program = startProgram({ name: 'the hub', args: [MAIN, 'hub', '--config', configPath], logPath });
    await waitUntilReady(program, `http://${listen}/-/ready`, logPath);
    return { url: `http://${listen}`, log: () => readFileSync(logPath, 'utf8'), close: () => program.stop() };
  },
};

/** A target for scrapes with canaries in its labels, its exemplar, its comments and its values. */
export async function startScraped(words: Canaries): Promise<{ readonly config: string; close(): Promise<void> }> {
  const label = (name: string): string => `${name}="${words.word(`scraped ${name}`)}"`;
  const text = [
    `# HELP scraped What is scraped.`,
    '# TYPE scraped counter',
    `scraped_total{${['email', 'client_ip', 'user', 'customer'].map(label).join(',')}} 1 # {${label('user_email')}} 1`,
    `# HELP secret_scraped ${words.word('scraped help of a sealed family')}`,
    '# TYPE secret_scraped gauge',
    `secret_scraped{${label('service')}} ${words.number('scraped sealed gauge')}`,
    '# EOF\n',
  ].join('\n');
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'application/openmetrics-text; version=1.0.0' }).end(text);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const target = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const password = words.word('password of a scrape job');
  const job = {
    job_name: 'scraped',
    scrape_interval: '200ms',
    scrape_timeout: '200ms',
    basic_auth: { username: 'u', password },
    static_configs: [{ targets: [target], labels: { email: words.word('label of a scrape target') } }],
  };
  return {
    config: `scrape_configs: ${JSON.stringify([job])}`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
