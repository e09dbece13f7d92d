import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { stringify } from 'yaml';
import { DOMAINS } from './topology.ts';

/** Where one domain's agent keeps and finds its things. */
export interface AgentFiles {
  readonly domain: string;
  readonly configPath: string;
  readonly logPath: string;
  readonly servicesLogPath: string;
  readonly otlpUrl: string;
  /** The record of what has left. */
  readonly ledgerPath: string;
  /** Where the demo has its report written. */
  readonly reportPath: string;
}

/** The run directory's content: configurations, tokens, logs and, later, the agents' stores. */
export interface RunFiles {
  readonly dir: string;
  readonly agents: readonly AgentFiles[];
  readonly hub: { readonly configPath: string; readonly logPath: string; readonly url: string };
}

/** Root of the project, from which the command lines shown to people work. */
export const PROJECT_ROOT = resolve(import.meta.dirname, '../..');

/** Where the hub's people are: what it gets leaves a domain for there. */
const HUB_JURISDICTION = 'EU';

/** Ports that a run needs: two for each agent and one for the hub. */
export const PORTS_NEEDED = DOMAINS.length * 2 + 1;

/** Makes the run directory: a new temporary one, or `keep`, which is created where it is missing. */
export function makeRunDir(keep: string | undefined): string {
  if (keep === undefined) return mkdtempSync(join(tmpdir(), 'comity-demo-'));
  mkdirSync(keep, { recursive: true, mode: 0o700 });
  return resolve(keep);
}

/**
 * Writes the configuration of the agents and the hub, with a new 256-bit token for each domain in a file that only
 * this user can read.
 */
export function writeRunFiles(dir: string, ports: readonly number[]): RunFiles {
  const free = [...ports];
  const address = (): string => `127.0.0.1:${free.shift() ?? 0}`;
  const hubAddress = address();
  const hubDomains: object[] = [];
  const agents = DOMAINS.map(({ name, jurisdiction }): AgentFiles => {
    const listen = { otlp: address(), federation: address() };
    const tokenPath = join(dir, `${name}.token`);
    const configPath = join(dir, `${name}.agent.yaml`);
    writeSecret(tokenPath, `${randomBytes(32).toString('hex')}\n`);
    writeYaml(configPath, {
      domain: name,
      jurisdiction,
      listen,
      store: join(dir, `${name}.sqlite`),
      policy: join(PROJECT_ROOT, 'rules/demo', `${name}.policy.yaml`),
      consumers: [{ name: 'hub', jurisdiction: HUB_JURISDICTION, token_file: tokenPath }],
    });
    hubDomains.push({ name, jurisdiction, url: `http://${listen.federation}`, token_file: tokenPath });
    return {
      domain: name,
      configPath,
      logPath: join(dir, `${name}.agent.log`),
      servicesLogPath: join(dir, `${name}.services.log`),
      otlpUrl: `http://${listen.otlp}`,
      ledgerPath: join(dir, `${name}.ledger.sqlite`),
      reportPath: join(dir, `${name}.report.html`),
    };
  });
  const hub = { configPath: join(dir, 'hub.yaml'), logPath: join(dir, 'hub.log'), url: `http://${hubAddress}` };
  writeYaml(hub.configPath, {
    listen: hubAddress,
    domains: hubDomains,
    audit: { path: join(dir, 'hub.audit.jsonl') },
    state: { path: join(dir, 'hub.state.sqlite') },
  });
  return { dir, agents, hub };
}

function writeYaml(path: string, content: object): void {
  writeSecret(path, stringify(content));
}

function writeSecret(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
}
