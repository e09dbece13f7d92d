import { join } from 'node:path';
import { PROJECT_ROOT } from './files.ts';
import type { AgentFiles, RunFiles } from './files.ts';
import { startProgram, tailOf, waitUntilReady } from './processes.ts';
import type { Program } from './processes.ts';
import type { ServicesReply, ServicesRequest } from './services.ts';
import type { Directory } from './topology.ts';

/** One domain's agent, which people kill and restart. */
export interface ManagedAgent {
  readonly domain: string;
  /** The command that starts it by hand. */
  readonly command: string;
  /** Undefined while it is down. */
  pid(): number | undefined;
  kill(): void;
  /** Starts it again with the same configuration and store; does nothing while it runs. */
  restart(): Promise<void>;
}

/** The running processes of the demo. */
export interface Federation {
  readonly agents: readonly ManagedAgent[];
  readonly directory: Directory;
  /** Rejects when a process ends that nobody was meant to end: the hub or a domain's services. */
  readonly broken: Promise<never>;
}

/** Every process that was started and may still run, in the order of their start. */
export type StartList = Program[];

const CLI = join(PROJECT_ROOT, 'src/cli/main.ts');
const SERVICES = join(import.meta.dirname, 'services.ts');

/**
 * Starts agents, hub and services side by side and waits until all are ready. Each process is entered into `started`
 * as soon as it exists, so that whoever holds the list can stop them whatever happens here.
 */
export async function startFederation(
  files: RunFiles,
  started: StartList,
  report: (line: string) => void,
): Promise<Federation> {
  const start = (name: string, args: readonly string[], logPath: string): Program => {
    const program = startProgram({ name, args, logPath });
    started.push(program);
    report(`${name} started (pid ${program.pid})`);
    return program;
  };
  const agents = files.agents.map((one) => manageAgent(one, start));
  const hub = start('hub', [CLI, 'hub', '--config', files.hub.configPath], files.hub.logPath);
  const services = agents.map((agent) => {
    const one = agent.files;
    const name = `services ${one.domain}`;
    const program = startProgram({ name, args: [SERVICES], logPath: one.servicesLogPath, ipc: true });
    started.push(program);
    report(`${name} started (pid ${program.pid})`);
    return { program, files: one, agent };
  });

  const [listening] = await Promise.all([
    Promise.all(services.map(({ program, files: one, agent }) => openServices(program, one, agent))),
    waitUntilReady(hub, `${files.hub.url}/-/ready`, files.hub.logPath),
  ]);
  const directory: Directory = Object.fromEntries(listening);
  for (const { program } of services) tell(program, { kind: 'directory', directory });

  const broken = Promise.race([
    endsUnexpectedly(hub, files.hub.logPath),
    ...services.map(({ program, files: one }) => endsUnexpectedly(program, one.servicesLogPath)),
  ]);
  // Nobody may be listening yet when it rejects; whoever awaits it later still sees the rejection.
  broken.catch(() => undefined);
  return { agents, directory, broken };
}

interface StartedAgent extends ManagedAgent {
  readonly files: AgentFiles;
  ready(): Promise<void>;
}

function manageAgent(
  files: AgentFiles,
  start: (name: string, args: readonly string[], logPath: string) => Program,
): StartedAgent {
  const launch = (): Program =>
    start(`agent ${files.domain}`, [CLI, 'agent', '--config', files.configPath], files.logPath);
  let program = launch();
  const ready = (): Promise<void> => waitUntilReady(program, `${files.otlpUrl}/-/ready`, files.logPath);
  return {
    files,
    domain: files.domain,
    command: `bin/comity agent --config ${files.configPath}`,
    pid: () => (program.ended() === undefined ? program.pid : undefined),
    kill: () => void program.process.kill('SIGKILL'),
    async restart() {
      if (program.ended() === undefined) return;
      program = launch();
      await ready();
    },
    ready,
  };
}

/**
 * Tells a services process where its agent is, once that takes telemetry in, and waits for the URLs of its services.
 */
async function openServices(
  program: Program,
  files: AgentFiles,
  agent: StartedAgent,
): Promise<readonly [domain: string, services: ServicesReply['services']]> {
  const reply = new Promise<ServicesReply>((resolve) => {
    program.process.once('message', (message) => resolve(message as ServicesReply));
  });
  await agent.ready();
  tell(program, { kind: 'start', domain: files.domain, otlpUrl: files.otlpUrl });
  const first = await Promise.race([reply, program.exited]);
  if (first === undefined) {
    throw new Error(`${program.name} ended at start (${program.ended() ?? ''})\n${tailOf(files.servicesLogPath)}`);
  }
  return [files.domain, first.services];
}

function tell(program: Program, request: ServicesRequest): void {
  // A process that has just died cannot be told anything; its exit is what gets reported.
  program.process.send(request, undefined, undefined, () => undefined);
}

async function endsUnexpectedly(program: Program, logPath: string): Promise<never> {
  await program.exited;
  throw new Error(`${program.name} ended (${program.ended() ?? ''})\n${tailOf(logPath)}`);
}
