import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { DOMAINS } from '../../scripts/demo/topology.ts';
import { readAgentConfig } from '../../src/agent/config.ts';
import { readHubConfig } from '../../src/hub/config.ts';
import { parsePolicy } from '../../src/policy/document.ts';

/*
 * What can be known of docker-compose.yml without an engine: that every file and name in it is there, and that programs get
 * configurations that they take, with the containers' paths turned into this machine's.
 */

interface Service {
  readonly image: string;
  readonly entrypoint?: readonly string[];
  readonly command?: readonly string[];
  readonly networks?: readonly string[];
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>;
  readonly volumes: Readonly<Record<string, null>>;
}

const ROOT = join(import.meta.dirname, '..', '..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const { services, networks, volumes } = parse(read('docker-compose.yml'), { merge: true }) as Compose;

/** Stands for the named volumes. */
let dir = '';

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'comity-compose-'));
  for (const name of Object.keys(volumes)) mkdirSync(join(dir, name));
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** [path here, path in the container] of each volume of a service, the longest paths there first. */
function mountsOf({ volumes: mounted = [] }: Service): [string, string][] {
  return mounted
    .map((text): [string, string] => {
      const [source, target] = text.split(':') as [string, string];
      return [source.startsWith('.') ? join(ROOT, source) : join(dir, source), target];
    })
    .toSorted(([, a], [, b]) => b.length - a.length);
}

/** A path, or a text with paths in it, of a container as one of this machine. */
function here(service: Service, text: string): string {
  for (const [source, target] of mountsOf(service)) {
    if (text.includes(target)) return text.replaceAll(target, source);
  }
  return text;
}

/** A file that a service is started with, as it would be on this machine. */
function configOf(name: string): string {
  const service = services[name]!;
  const path = here(service, service.command!.at(-1)!);
  const lines = readFileSync(path, 'utf8').split('\n');
  const copy = join(dir, `${name}.yaml`);
  writeFileSync(copy, lines.map((line) => here(service, line)).join('\n'));
  return copy;
}

function makeTokens(): void {
  const service = services['tokens']!;
  const [, script] = service.entrypoint!;
  execFileSync(process.execPath, [here(service, script!), ...service.command!.map((path) => here(service, path))]);
}

describe('the files', () => {
  it('that are mounted or built from are there', () => {
    for (const [name, service] of Object.entries(services)) {
      for (const [source] of mountsOf(service)) expect(existsSync(source), `${name}: ${source}`).toBe(true);
      for (const network of service.networks ?? []) expect(networks, name).toHaveProperty(network);
    }
    const kept = read('.dockerignore').split('\n');
    const copied = read('Dockerfile').matchAll(/^COPY (.+) \S+$/gm);
    for (const path of [...copied].flatMap(([, paths]) => paths!.split(' '))) {
      expect(existsSync(join(ROOT, path)), path).toBe(true);
      expect(kept, path).toContain(`!${path}`);
    }
  });

  it('of agents and hub are taken by their programs, and fit together', () => {
    makeTokens();
    const hub = readHubConfig(configOf('hub'));
    expect(hub.domains.map(({ name, jurisdiction }) => ({ name, jurisdiction }))).toEqual(
      DOMAINS.map(({ name, jurisdiction }) => ({ name, jurisdiction })),
    );
    for (const { name } of DOMAINS) {
      const agent = readAgentConfig(configOf(`agent-${name}`));
      expect(agent.domain).toBe(name);
      expect(parsePolicy(readFileSync(agent.policy, 'utf8'), agent.policy, name, 'domain').classOf('x')).toBe(
        'aggregate',
      );
      const port = agent.listen.federation.split(':').at(-1);
      const known = parse(read('scripts/compose/hub.yaml')).domains.find((one: { name: string }) => one.name === name);
      expect(known.url).toBe(`http://agent-${name}:${port}`);
      expect(readFileSync(join(dir, `token-${name}`, 'token'), 'utf8').trim()).toBe(agent.consumers?.[0]?.token);
    }
  });

  it('with secrets are made once', () => {
    makeTokens();
    const path = join(dir, 'token-eu-west', 'token');
    const token = readFileSync(path, 'utf8');
    expect(token).toMatch(/^[0-9a-f]{64}\n$/);
    makeTokens();
    expect(readFileSync(path, 'utf8')).toBe(token);
  });
});

describe('the networks', () => {
  const membersOf = (network: string): string[] =>
    Object.keys(services).filter((name) => services[name]!.networks?.includes(network));

  it('let a domain out through its agent alone, which meets the hub and nobody else', () => {
    for (const { name } of DOMAINS) {
      expect(membersOf(`border-${name}`).toSorted()).toEqual([`agent-${name}`, 'hub']);
      expect(services[`agent-${name}`]!.networks!.toSorted()).toEqual([`border-${name}`, name].toSorted());
      expect(membersOf(name).toSorted()).toEqual(
        [`agent-${name}`, `shop-${name}`, ...(name === 'eu-west' ? ['prometheus'] : [])].toSorted(),
      );
      expect([networks[name]?.internal, networks[`border-${name}`]?.internal]).toEqual([true, true]);
    }
  });

  it('open ports to this machine only', () => {
    for (const [name, { ports = [] }] of Object.entries(services)) {
      for (const port of ports) expect(port, name).toMatch(/^127\.0\.0\.1:/);
    }
  });

  /** Who names whom, in which file, and whether they meet. */
  it.each<[string, string]>([
    ...DOMAINS.map(({ name }): [string, string] => [`shop-${name}`, services[`shop-${name}`]!.command!.join(' ')]),
    ['prometheus', read('scripts/compose/prometheus.yml')],
    ['grafana', read('scripts/compose/grafana/datasources/comity.yaml')],
    ['hub', read('scripts/compose/hub.yaml')],
  ])('%s reaches whom it names', (from, text) => {
    const named = [...text.matchAll(/\b((?:agent|shop)-[a-z-]+|hub):\d/g)].map(([, name]) => name!);
    expect(named.length).toBeGreaterThan(0);
    for (const to of named) {
      const common = services[from]!.networks!.filter((network) => services[to]!.networks!.includes(network));
      expect(common, `${from} to ${to}`).not.toEqual([]);
    }
  });
});
