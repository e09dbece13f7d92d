import Type, { type Static } from 'typebox';
import { configuredFeatures } from '../api/features.ts';
import { AUDIT_BYTES_MIN } from '../base/audit-log.ts';
import { readConfigFile, readSecret, resolveBeside } from '../base/config.ts';
import { ComityError, messageOf } from '../base/errors.ts';
import { verifierOf } from '../base/note-key.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import type { BundleKey } from '../policy/bundle.ts';
import type { BundlesConfig } from './bundles.ts';
import type { WitnessState } from './ledgers/witness.ts';
import type { AgentAddress } from './transport.ts';

/** Default of `audit.bytes`, as of an agent's log. */
const AUDIT_BYTES = 64 * 1024 * 1024;

/** Default of `cache_bytes`: dashboards of a thousand panels, at a hundred rows of a thousand steps each, twice over. */
export const CACHE_BYTES = 256 * 1024 * 1024;

/** More copies of one domain's data than anybody runs. */
const REPLICAS_MAX = 16;

const CLOSED = { additionalProperties: false } as const;

const ADDRESS = {
  url: Type.String({ pattern: '^https?://' }),
  token: Type.Optional(Type.String()),
  token_file: Type.Optional(Type.String()),
  /** What its receipts are verified by (C2SP signed-note); without, the first key that it shows is trusted. */
  ledger_key: Type.Optional(Type.String()),
};

const HUB_CONFIG = Type.Object(
  {
    listen: Type.String({ default: '127.0.0.1:9090' }),
    domains: Type.Array(
      Type.Object(
        {
          name: Type.String({ pattern: '^[A-Za-z0-9_.-]{1,64}$' }),
          jurisdiction: Type.String({ minLength: 1 }),
          ...Type.Partial(Type.Object(ADDRESS)).properties,
          /** In place of `url`: agents each of which holds all that the domain has. */
          replicas: Type.Optional(Type.Array(Type.Object(ADDRESS, CLOSED), { minItems: 1, maxItems: REPLICAS_MAX })),
          max_concurrent: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000 })),
          max_queued: Type.Optional(Type.Integer({ minimum: 0, maximum: 100_000 })),
        },
        CLOSED,
      ),
      { minItems: 1 },
    ),
    domain_label: Type.String({ default: 'domain' }),
    /** Seconds that a query may take when the caller names no timeout. */
    query_timeout_seconds: Type.Number({ default: 30, exclusiveMinimum: 0, maximum: 600 }),
    lookback_seconds: Type.Number({ default: 300, exclusiveMinimum: 0 }),
    /** Experimental parts of PromQL, by Prometheus's names. */
    features: Type.Array(Type.String(), { default: [] }),
    /** What the hub must remember: the ledgers that it watches. In memory alone when left out. */
    state: Type.Optional(
      Type.Object(
        {
          /** Beside the configuration file when relative; the witness's key is in a file beside it. */
          path: Type.String({ minLength: 1 }),
          witness_name: Type.Optional(Type.String({ minLength: 1 })),
        },
        CLOSED,
      ),
    ),
    /** Signed policy bundles that agents fetch here. */
    bundles: Type.Optional(
      Type.Object(
        {
          /** A file, or a folder of them; beside the configuration file when relative. */
          path: Type.String({ minLength: 1 }),
          /** What agents must show; nothing when left out. */
          token: Type.Optional(Type.String()),
          token_file: Type.Optional(Type.String()),
          /** To warn of a bundle that none of them has signed. Agents look at signatures themselves. */
          keys: Type.Optional(Type.Array(Type.String(), { minItems: 1, maxItems: 64 })),
        },
        CLOSED,
      ),
    ),
    /** Bytes of domains' answers that are kept for the next query; 0 for none. */
    cache_bytes: Type.Optional(Type.Integer({ minimum: 0 })),
    /** The log of what was answered from what is kept. */
    audit: Type.Optional(
      Type.Object(
        {
          /** Beside the configuration file when relative. */
          path: Type.String({ minLength: 1 }),
          bytes: Type.Integer({ minimum: AUDIT_BYTES_MIN, default: AUDIT_BYTES }),
        },
        CLOSED,
      ),
    ),
  },
  CLOSED,
);

/** How much is asked of a domain at once. */
export interface DispatchLimits {
  /** Requests under way at the domain, over all its replicas. Default `LIMITS.requestsPerDomain`. */
  readonly maxConcurrent?: number | undefined;
  /** Requests that wait for that. Default `LIMITS.queuedPerDomain`. */
  readonly maxQueued?: number | undefined;
}

/** A domain with one agent, or with replicas, each of which holds all that the domain has. */
export type DomainConfig = DispatchLimits & {
  readonly name: string;
  readonly jurisdiction: string;
} & (AgentAddress | { readonly replicas: readonly AgentAddress[] });

/** A hub's configuration with secrets resolved. */
export interface HubConfig {
  readonly listen: string;
  readonly domains: readonly DomainConfig[];
  /** Default `domain`. */
  readonly domainLabel?: string;
  /** Default 30,000. */
  readonly queryTimeoutMs?: number;
  /** Default 300,000, as Prometheus's. */
  readonly lookbackMs?: number;
  /** None when left out. */
  readonly features?: PromqlFeatures;
  /** Policy bundles that agents fetch; none when left out. */
  readonly bundles?: BundlesConfig;
  /** Bytes of domains' answers that are kept. Default 256 MiB with `audit`, nothing without: what nobody sees is not done. */
  readonly cacheBytes?: number;
  /** Where what it knows of ledgers is kept; in memory when left out. */
  readonly state?: WitnessState;
  /** Where each use of what is kept is written down, and the room for it. */
  readonly audit?: { readonly path: string; readonly bytes: number };
}

/** Reads a hub's YAML file. `features` come on top of its own. Throws `bad_config` naming the field at fault. */
export function readHubConfig(path: string, features: readonly string[] = []): HubConfig {
  const raw: Static<typeof HUB_CONFIG> = readConfigFile(path, HUB_CONFIG);
  const names = raw.domains.map((domain) => domain.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new ComityError('bad_config', `${path}: domain ${twice} is listed twice`);
  if (raw.audit === undefined && (raw.cache_bytes ?? 0) > 0) {
    throw new ComityError('bad_config', `${path}: cache_bytes needs audit.path, the log of what the cache answers`);
  }
  return {
    listen: raw.listen,
    domains: raw.domains.map((domain) => ({
      name: domain.name,
      jurisdiction: domain.jurisdiction,
      replicas: addressesOf(domain, path),
      maxConcurrent: domain.max_concurrent,
      maxQueued: domain.max_queued,
    })),
    domainLabel: raw.domain_label,
    queryTimeoutMs: raw.query_timeout_seconds * 1000,
    lookbackMs: raw.lookback_seconds * 1000,
    features: configuredFeatures([...raw.features, ...features], path),
    ...(raw.cache_bytes === undefined ? {} : { cacheBytes: raw.cache_bytes }),
    ...(raw.bundles === undefined ? {} : { bundles: bundlesOf(raw.bundles, path) }),
    ...(raw.state === undefined ? {} : { state: stateOf(raw.state, path) }),
    ...(raw.audit === undefined ? {} : { audit: { ...raw.audit, path: resolveBeside(path, raw.audit.path) } }),
  };
}

type RawBundles = NonNullable<Static<typeof HUB_CONFIG>['bundles']>;

function bundlesOf(raw: RawBundles, path: string): BundlesConfig {
  const keys = raw.keys?.map((key, i): BundleKey => {
    try {
      return { role: 'compliance', verifier: verifierOf(key) };
    } catch (error) {
      throw new ComityError('bad_config', `${path}: /bundles/keys/${i}: ${messageOf(error)}`, { cause: error });
    }
  });
  const token = (raw.token ?? raw.token_file) === undefined ? undefined : readSecret(raw, path);
  return { path: resolveBeside(path, raw.path), keys, token };
}

type RawState = NonNullable<Static<typeof HUB_CONFIG>['state']>;

function stateOf({ path: given, witness_name: witnessName }: RawState, path: string): WitnessState {
  return { path: resolveBeside(path, given), witnessName };
}

type RawDomain = Static<typeof HUB_CONFIG>['domains'][number];

function addressesOf(domain: RawDomain, path: string): readonly AgentAddress[] {
  const { name, url, replicas } = domain;
  const fault = (words: string): ComityError => new ComityError('bad_config', `${path}: domain ${name}: ${words}`);
  const checked = (vkey: string): string => {
    try {
      const { type, vkey: checkedKey } = verifierOf(vkey);
      if (type === 'ed25519') return checkedKey;
    } catch (error) {
      throw fault(`ledger_key: ${messageOf(error)}`);
    }
    throw fault('ledger_key: it is the key of a witness, not of a ledger');
  };
  const address = (
    given: string,
    from: { token?: string; token_file?: string; ledger_key?: string },
  ): AgentAddress => ({
    url: given.replace(/\/+$/, ''),
    token: readSecret(from, path),
    ledgerKey: from.ledger_key === undefined ? undefined : checked(from.ledger_key),
  });
  if (url !== undefined && replicas === undefined) return [address(url, domain)];
  if (url !== undefined || replicas === undefined) throw fault('it has either url or replicas');
  if ((domain.token ?? domain.token_file) !== undefined) throw fault('each of its replicas has a token of its own');
  if (domain.ledger_key !== undefined) throw fault('each of its replicas has a ledger_key of its own');
  const addresses = replicas.map((replica) => address(replica.url, replica));
  const twice = addresses.find((one, index) => addresses.findIndex((other) => other.url === one.url) !== index);
  if (twice !== undefined) throw fault(`replica ${twice.url} is listed twice`);
  return addresses;
}
