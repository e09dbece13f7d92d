import { pino } from 'pino';
import type { startAgent } from '../../src/agent/agent.ts';
import type { readAgentConfig } from '../../src/agent/config.ts';
import type { readHubConfig } from '../../src/hub/config.ts';
import type { startHub } from '../../src/hub/hub.ts';
import type { AgentPrograms } from './domain.ts';

interface Modules {
  readonly startAgent: typeof startAgent;
  readonly readAgentConfig: typeof readAgentConfig;
  readonly startHub: typeof startHub;
  readonly readHubConfig: typeof readHubConfig;
}

/** How a module under `src/` is imported: from this process's own graph, or from one with a check taken out. */
export type Import = (path: string) => Promise<unknown>;

/** Agents and hubs in this process, of the modules that `load` gives. */
export async function inThisProcess(load: Import): Promise<AgentPrograms> {
  const modules = async (...paths: readonly string[]): Promise<Modules> => {
    const all: unknown[] = [];
    for (const path of paths) all.push(await load(path));
    return Object.assign({}, ...all) as Modules;
  };
  const { startAgent: start, readAgentConfig: read } = await modules('src/agent/agent.ts', 'src/agent/config.ts');
  return {
    isOfThisProcess: true,
    async startAgent(configPath) {
      let log = '';
      const lines = pino({ level: 'info' }, { write: (line: string) => void (log += line) });
      const agent = await start(read(configPath), lines);
      return {
        receivers: { otlpUrl: agent.otlpUrl, grpcUrl: agent.grpcUrl },
        queryUrl: agent.queryUrl,
        federationUrl: agent.federationUrl,
        log: () => log,
        close: () => agent.close(),
      };
    },
    async startHub(configPath) {
      let log = '';
      const lines = pino({ level: 'info' }, { write: (line: string) => void (log += line) });
      const hubs = await modules('src/hub/hub.ts', 'src/hub/config.ts');
      const hub = await hubs.startHub(hubs.readHubConfig(configPath), lines);
      return { url: hub.url, log: () => log, close: () => hub.close() };
    },
  };
}
