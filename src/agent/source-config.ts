import { parseDocument } from 'yaml';
import Type, { type Static } from 'typebox';
import { parseConfig, readText, resolveBeside } from '../base/config.ts';
import { ComityError } from '../base/errors.ts';
import type { ServerAuth } from '../upstream/client.ts';
import type { SourceConfig } from '../upstream/upstream.ts';
import { DOMAIN_FIELDS, FEDERATION_LISTEN } from './config.ts';
import { complianceConfig, type ComplianceConfig } from './compliance-config.ts';
import { readAskers, type Askers } from './consumers.ts';
import { LOAD_SHARE, loadShare } from './load-config.ts';
import type { LoadShare } from './load-gate.ts';
import { policyConfig, type PolicyConfig } from './policy-config.ts';
import type { WitnessConfig } from './witness-push.ts';

const CLOSED = { additionalProperties: false } as const;

const PROMETHEUS = Type.Object(
  {
    /** Root of the server's HTTP API. */
    url: Type.String({ pattern: '^https?://[^/?#@]+(/[^?#]*)?$' }),
    engine: Type.Optional(Type.Union([Type.Literal('prometheus'), Type.Literal('victoriametrics')])),
    token: Type.Optional(Type.String({ minLength: 1 })),
    token_file: Type.Optional(Type.String({ minLength: 1 })),
    basic_auth: Type.Optional(
      Type.Object(
        {
          username: Type.String(),
          password: Type.Optional(Type.String()),
          password_file: Type.Optional(Type.String({ minLength: 1 })),
        },
        CLOSED,
      ),
    ),
  },
  CLOSED,
);

const SOURCE_AGENT_CONFIG = Type.Object(
  {
    ...DOMAIN_FIELDS,
    listen: Type.Object(
      {
        federation: FEDERATION_LISTEN,
        /** The agent's own metrics and its health; nowhere when left out. */
        metrics: Type.Optional(Type.String()),
      },
      { ...CLOSED, default: {} },
    ),
    source: Type.Object({ prometheus: PROMETHEUS }, CLOSED),
    /** The file of what has left; its keys lie beside it. */
    ledger: Type.Object({ path: Type.String({ minLength: 1, default: 'ledger.sqlite' }) }, { ...CLOSED, default: {} }),
    limits: Type.Optional(Type.Object({ federation: Type.Optional(LOAD_SHARE) }, CLOSED)),
  },
  CLOSED,
);

/** The configuration of an agent whose samples are in a Prometheus-compatible server, with paths and secrets resolved. */
export interface SourceAgentConfig extends Askers, PolicyConfig {
  readonly domain: string;
  readonly jurisdiction: string;
  /** `DEFAULT_AGENT` when left out. */
  readonly agent?: string | undefined;
  readonly witnesses?: readonly WitnessConfig[] | undefined;
  readonly compliance?: ComplianceConfig | undefined;
  /** The SQLite file of what has left; `:memory:` for one that ends with the agent. */
  readonly ledger: string;
  readonly listen: { readonly federation: string; readonly metrics?: string | undefined };
  readonly policy: string;
  readonly domainLabel: string;
  readonly source: SourceConfig;
  /** What hubs may ask at once. */
  readonly share?: LoadShare | undefined;
  /** How often the server is asked about its targets; the default of `openUpstream` when left out. */
  readonly pollMs?: number | undefined;
}

/** Whether the file configures an agent with a source. Throws `bad_config` where it cannot be read. */
export function hasSource(path: string): boolean {
  const document: unknown = parseDocument(readText(path)).toJS({ maxAliasCount: 100 });
  return typeof document === 'object' && document !== null && 'source' in document;
}

/** Reads the YAML file of an agent with a source. Throws `bad_config` naming the field at fault. */
export function readSourceAgentConfig(path: string): SourceAgentConfig {
  const text = readText(path);
  refuseStore(text, path);
  const raw: Static<typeof SOURCE_AGENT_CONFIG> = parseConfig(text, SOURCE_AGENT_CONFIG, path);
  const { url, engine } = raw.source.prometheus;
  return {
    domain: raw.domain,
    jurisdiction: raw.jurisdiction,
    agent: raw.agent,
    witnesses: raw.witnesses,
    compliance: complianceConfig(raw.compliance, path),
    ledger: resolveBeside(path, raw.ledger.path),
    listen: raw.listen,
    policy: resolveBeside(path, raw.policy),
    ...policyConfig(raw, path),
    ...readAskers(raw, path),
    domainLabel: raw.domain_label,
    share: loadShare(raw.limits?.federation),
    source: { url, engine, auth: authOf(raw.source.prometheus, path) },
  };
}

/** What an agent with a store has, and why one with a source has not. */
const OF_STORES: ReadonlyMap<string, string> = new Map([
  ...['store', 'domain_key', 'shards', 'retention', 'out_of_order_window', 'durability', 'limits'].map(
    (field) => [field, 'the samples are in the server that it names, so there is no store'] as const,
  ),
  ...['otlp', 'global', 'scrape_configs', 'listen/otlp', 'listen/otlp_grpc'].map(
    (field) => [field, 'nothing is received or scraped here: the server that it names does that'] as const,
  ),
  ...['query', 'features', 'listen/query'].map(
    (field) => [field, 'people of the domain ask the server that it names'] as const,
  ),
]);

function refuseStore(text: string, path: string): void {
  const document = parseDocument(text);
  for (const [field, reason] of OF_STORES) {
    if (!document.hasIn(field.split('/'))) continue;
    throw new ComityError(
      'bad_config',
      `${path}: /${field} does not go with source: ${reason}. Leave out one of the two`,
    );
  }
}

function authOf(raw: Static<typeof PROMETHEUS>, path: string): ServerAuth | undefined {
  const { token, token_file: file, basic_auth: basic } = raw;
  if ([token, file, basic].filter((way) => way !== undefined).length > 1) {
    throw new ComityError('bad_config', `${path}: /source/prometheus: give one of token, token_file and basic_auth`);
  }
  if (token !== undefined) return { kind: 'bearer', token: { text: token } };
  if (file !== undefined) return { kind: 'bearer', token: { file: resolveBeside(path, file) } };
  if (basic === undefined) return undefined;
  const { username, password, password_file: passwordFile } = basic;
  if ((password === undefined) === (passwordFile === undefined)) {
    throw new ComityError(
      'bad_config',
      `${path}: /source/prometheus/basic_auth: give password or password_file, and not both`,
    );
  }
  const secret = passwordFile === undefined ? { text: password! } : { file: resolveBeside(path, passwordFile) };
  return { kind: 'basic', username, password: secret };
}
