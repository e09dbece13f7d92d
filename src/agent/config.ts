import Type, { type Static } from 'typebox';
import { ComityError } from '../base/errors.ts';
import { parseListen, readConfigFile, resolveBeside } from '../base/config.ts';
import { configuredFeatures } from '../api/features.ts';
import { parseDuration } from '../promql/duration.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import { SHARDS_MAX } from '../shard/open-shards.ts';
import { AUDIT_BYTES_MIN } from '../base/audit-log.ts';
import { COMPLIANCE, complianceConfig, type ComplianceConfig } from './compliance-config.ts';
import { CONSUMERS, readAskers, type Askers } from './consumers.ts';
import { LOAD_SHARE, loadShare } from './load-config.ts';
import type { LoadShare } from './load-gate.ts';
import { POLICY_FIELDS, policyConfig, type PolicyConfig } from './policy-config.ts';
import { GLOBAL, resolveScrapeConfigs, SCRAPE_CONFIGS } from './scrape/config.ts';
import type { ScrapeJob } from './scrape/job.ts';
import type { WitnessConfig } from './witness-push.ts';

const CLOSED = { additionalProperties: false } as const;
const COUNT = Type.Optional(Type.Integer({ minimum: 1 }));

/** The name of a domain's agent that has none. */
export const DEFAULT_AGENT = 'agent-1';

/** What every agent has, wherever its samples are. */
export const DOMAIN_FIELDS = {
  domain: Type.String({ pattern: '^[A-Za-z0-9_.-]{1,64}$' }),
  jurisdiction: Type.String({ minLength: 1 }),
  /** The name of this agent among those of the domain; its ledger bears it. */
  agent: Type.String({ pattern: '^[A-Za-z0-9_.-]{1,64}$', default: DEFAULT_AGENT }),
  /** Who is to see that the ledger only grows. */
  witnesses: Type.Optional(
    Type.Array(Type.Object({ url: Type.String({ pattern: '^https?://' }), key: Type.String() }, CLOSED)),
  ),
  policy: Type.String({ minLength: 1 }),
  ...POLICY_FIELDS,
  token: Type.Optional(Type.String()),
  token_file: Type.Optional(Type.String()),
  consumers: Type.Optional(CONSUMERS),
  /** Where people of the domain's compliance team ask; nowhere when left out. */
  compliance: Type.Optional(COMPLIANCE),
  domain_label: Type.String({ default: 'domain' }),
};

/** Where hubs ask. */
export const FEDERATION_LISTEN = Type.String({ default: '127.0.0.1:7201' });

const AGENT_CONFIG = Type.Object(
  {
    ...DOMAIN_FIELDS,
    listen: Type.Object(
      {
        /** Where the domain's own senders deliver over HTTP: OTLP and remote write. */
        otlp: Type.String({ default: '127.0.0.1:4318' }),
        /** Where they deliver OTLP over gRPC; `off` for nowhere. */
        otlp_grpc: Type.Optional(Type.String()),
        /** Where people of the domain query what it holds; nowhere when left out. */
        query: Type.Optional(Type.String()),
        federation: FEDERATION_LISTEN,
      },
      { ...CLOSED, default: {} },
    ),
    /** Path of the store's folder; beside the configuration file when relative. */
    store: Type.String({ minLength: 1 }),
    /** Path of the domain's root key, made when missing; beside the store when left out. */
    domain_key: Type.Optional(Type.String({ minLength: 1 })),
    /** Threads that keep and query samples, each with a part of the store; 0 for none beside the main one. */
    shards: Type.Optional(Type.Integer({ minimum: 0, maximum: SHARDS_MAX })),
    retention: Type.Optional(Type.Object({ time: Type.Optional(Type.String()), size_bytes: COUNT }, CLOSED)),
    /** How far behind the latest sample of all series others may come out of order. */
    out_of_order_window: Type.Optional(Type.String()),
    durability: Type.Union([Type.Literal('process'), Type.Literal('fsync')], { default: 'process' }),
    /** Of the listener for people of the domain. */
    query: Type.Optional(
      Type.Object(
        {
          /** Whether others than this machine may reach it. */
          allow_remote: Type.Optional(Type.Boolean()),
          /** Bytes of the log of what they read. */
          audit_bytes: Type.Optional(Type.Integer({ minimum: AUDIT_BYTES_MIN })),
          timeout: Type.Optional(Type.String()),
          lookback: Type.Optional(Type.String()),
        },
        CLOSED,
      ),
    ),
    /** Experimental parts of PromQL, by Prometheus's names. */
    features: Type.Array(Type.String(), { default: [] }),
    limits: Type.Optional(
      Type.Object(
        {
          series: COUNT,
          series_per_metric: COUNT,
          memory_bytes: COUNT,
          federation: Type.Optional(LOAD_SHARE),
        },
        CLOSED,
      ),
    ),
    otlp: Type.Optional(
      Type.Object(
        {
          promote_resource_attributes: Type.Optional(Type.Array(Type.String({ minLength: 1 }))),
          convert_histograms_to_nhcb: Type.Optional(Type.Boolean()),
        },
        CLOSED,
      ),
    ),
    global: Type.Optional(GLOBAL),
    scrape_configs: Type.Optional(SCRAPE_CONFIGS),
  },
  CLOSED,
);

/** An agent's configuration with paths and secrets resolved. */
export interface AgentConfig extends Askers, PolicyConfig {
  readonly domain: string;
  readonly jurisdiction: string;
  /** `DEFAULT_AGENT` when left out. */
  readonly agent?: string | undefined;
  readonly witnesses?: readonly WitnessConfig[] | undefined;
  readonly compliance?: ComplianceConfig | undefined;
  readonly listen: {
    readonly otlp: string;
    readonly otlpGrpc?: GrpcListen | undefined;
    readonly query?: string | undefined;
    readonly federation: string;
  };
  readonly store: string;
  /** Beside the store when left out. */
  readonly domainKey?: string | undefined;
  readonly policy: string;
  /** Default `domain`. */
  readonly domainLabel?: string;
  readonly durability?: 'process' | 'fsync';
  readonly query?: {
    /** Bytes of the audit log; its default when left out. */
    readonly auditBytes?: number | undefined;
    /** The longest that a query may take; the API's default when left out. */
    readonly timeoutMs?: number | undefined;
    /** How far back an instant selector looks; the API's default when left out. */
    readonly lookbackMs?: number | undefined;
  };
  /** Of local queries; none when left out. */
  readonly features?: PromqlFeatures | undefined;
  /** For how long samples are kept; for ever when left out. */
  readonly retentionMs?: number | undefined;
  /** Bytes on disk past which the oldest go; no limit when left out. */
  readonly retentionBytes?: number | undefined;
  /** How far out of order samples may come; the store's default when left out. */
  readonly outOfOrderMs?: number | undefined;
  /** Threads with a store each, 0 for none; one for each core but one when left out. */
  readonly shards?: number | undefined;
  readonly limits?: {
    readonly series?: number | undefined;
    readonly seriesPerMetric?: number | undefined;
    readonly memoryBytes?: number | undefined;
    /** What hubs may ask at once. */
    readonly federation?: LoadShare | undefined;
  };
  readonly promoteResourceAttributes?: readonly string[] | undefined;
  readonly convertHistogramsToNhcb?: boolean | undefined;
  readonly scrape?: readonly ScrapeJob[];
}

export interface GrpcListen {
  readonly address: string;
  /** Nobody asked for this address: where it is taken, the agent goes on without. */
  readonly isDefault: boolean;
}

/** OTLP over gRPC has this port by convention. */
const GRPC_DEFAULT: GrpcListen = { address: '127.0.0.1:4317', isDefault: true };

/** How long samples are kept when nothing else is said, as in Prometheus. */
const RETENTION = '15d';

/** Reads an agent's YAML file. `features` come on top of its own. Throws `bad_config` naming the field at fault. */
export function readAgentConfig(path: string, features: readonly string[] = []): AgentConfig {
  const raw: Static<typeof AGENT_CONFIG> = readConfigFile(path, AGENT_CONFIG);
  const { otlp, otlp_grpc: grpc, query, federation } = raw.listen;
  if (query !== undefined && raw.query?.allow_remote !== true) assertLoopback(query, path);
  return {
    domain: raw.domain,
    jurisdiction: raw.jurisdiction,
    agent: raw.agent,
    witnesses: raw.witnesses,
    compliance: complianceConfig(raw.compliance, path),
    listen: { otlp, otlpGrpc: grpcListen(grpc), query, federation },
    store: resolveBeside(path, raw.store),
    domainKey: raw.domain_key === undefined ? undefined : resolveBeside(path, raw.domain_key),
    policy: resolveBeside(path, raw.policy),
    ...policyConfig(raw, path),
    ...readAskers(raw, path),
    domainLabel: raw.domain_label,
    durability: raw.durability,
    shards: raw.shards,
    retentionMs: duration(raw.retention?.time ?? RETENTION, path, 'retention/time') || undefined,
    retentionBytes: raw.retention?.size_bytes,
    outOfOrderMs: optionalDuration(raw.out_of_order_window, path, 'out_of_order_window'),
    query: {
      auditBytes: raw.query?.audit_bytes,
      timeoutMs: positiveDuration(raw.query?.timeout, path, 'query/timeout'),
      lookbackMs: positiveDuration(raw.query?.lookback, path, 'query/lookback'),
    },
    features: configuredFeatures([...raw.features, ...features], path),
    limits: {
      series: raw.limits?.series,
      seriesPerMetric: raw.limits?.series_per_metric,
      memoryBytes: raw.limits?.memory_bytes,
      federation: loadShare(raw.limits?.federation),
    },
    promoteResourceAttributes: raw.otlp?.promote_resource_attributes,
    convertHistogramsToNhcb: raw.otlp?.convert_histograms_to_nhcb,
    scrape: resolveScrapeConfigs(raw, path),
  };
}

function grpcListen(address: string | undefined): GrpcListen | undefined {
  if (address === undefined) return GRPC_DEFAULT;
  return address === 'off' ? undefined : { address, isDefault: false };
}

/** Raw samples are for this machine alone, unless the configuration says otherwise. */
function assertLoopback(address: string, path: string): void {
  const { host } = parseListen(address);
  if (host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)) return;
  throw new ComityError(
    'bad_config',
    `${path}: /listen/query: ${address} can be reached from other machines, and raw samples are read there without any ` +
      'policy. Listen on 127.0.0.1, or set query.allow_remote: true if that is what you want',
  );
}

function optionalDuration(text: string | undefined, path: string, field: string): number | undefined {
  return text === undefined ? undefined : duration(text, path, field);
}

function positiveDuration(text: string | undefined, path: string, field: string): number | undefined {
  const ms = optionalDuration(text, path, field);
  if (ms === 0) throw new ComityError('bad_config', `${path}: /${field}: must be more than 0`);
  return ms;
}

function duration(text: string, path: string, field: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    throw new ComityError('bad_config', `${path}: /${field}: ${(error as Error).message}`, { cause: error });
  }
}
