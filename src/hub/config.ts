import Type, { type Static } from 'typebox';
import { configuredFeatures } from '../api/features.ts';
import { readConfigFile, readSecret } from '../base/config.ts';
import { ComityError } from '../base/errors.ts';
import type { PromqlFeatures } from '../promql/features.ts';

const HUB_CONFIG = Type.Object(
  {
    listen: Type.String({ default: '127.0.0.1:9090' }),
    domains: Type.Array(
      Type.Object(
        {
          name: Type.String({ pattern: '^[A-Za-z0-9_.-]{1,64}$' }),
          jurisdiction: Type.String({ minLength: 1 }),
          url: Type.String({ pattern: '^https?://' }),
          token: Type.Optional(Type.String()),
          token_file: Type.Optional(Type.String()),
        },
        { additionalProperties: false },
      ),
      { minItems: 1 },
    ),
    domain_label: Type.String({ default: 'domain' }),
    /** Seconds that a query may take when the caller names no timeout. */
    query_timeout_seconds: Type.Number({ default: 30, exclusiveMinimum: 0, maximum: 600 }),
    lookback_seconds: Type.Number({ default: 300, exclusiveMinimum: 0 }),
    /** Experimental parts of PromQL, by Prometheus's names. */
    features: Type.Array(Type.String(), { default: [] }),
  },
  { additionalProperties: false },
);

export interface DomainConfig {
  readonly name: string;
  readonly jurisdiction: string;
  /** Base address of the agent's federation endpoint. */
  readonly url: string;
  readonly token: string;
}

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
}

/** Reads a hub's YAML file. `features` come on top of its own. Throws `bad_config` naming the field at fault. */
export function readHubConfig(path: string, features: readonly string[] = []): HubConfig {
  const raw: Static<typeof HUB_CONFIG> = readConfigFile(path, HUB_CONFIG);
  const names = raw.domains.map((domain) => domain.name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new ComityError('bad_config', `${path}: domain ${twice} is listed twice`);
  return {
    listen: raw.listen,
    domains: raw.domains.map((domain) => ({
      name: domain.name,
      jurisdiction: domain.jurisdiction,
      url: domain.url.replace(/\/+$/, ''),
      token: readSecret(domain, path),
    })),
    domainLabel: raw.domain_label,
    queryTimeoutMs: raw.query_timeout_seconds * 1000,
    lookbackMs: raw.lookback_seconds * 1000,
    features: configuredFeatures([...raw.features, ...features], path),
  };
}
