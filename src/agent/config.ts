import Type, { type Static } from 'typebox';
import { readConfigFile, readSecret, resolveBeside } from '../base/config.ts';

const AGENT_CONFIG = Type.Object(
  {
    domain: Type.String({ pattern: '^[A-Za-z0-9_.-]{1,64}$' }),
    jurisdiction: Type.String({ minLength: 1 }),
    listen: Type.Object(
      {
        /** Where the domain's own senders deliver OTLP over HTTP. */
        otlp: Type.String({ default: '127.0.0.1:4318' }),
        /** Where hubs ask. */
        federation: Type.String({ default: '127.0.0.1:7201' }),
      },
      { additionalProperties: false },
    ),
    /** Path of the store's file; beside the configuration file when relative. */
    store: Type.String({ minLength: 1 }),
    policy: Type.String({ minLength: 1 }),
    token: Type.Optional(Type.String()),
    token_file: Type.Optional(Type.String()),
    domain_label: Type.String({ default: 'domain' }),
    durability: Type.Union([Type.Literal('process'), Type.Literal('fsync')], { default: 'process' }),
  },
  { additionalProperties: false },
);

/** An agent's configuration with paths and secrets resolved. */
export interface AgentConfig {
  readonly domain: string;
  readonly jurisdiction: string;
  readonly listen: { readonly otlp: string; readonly federation: string };
  readonly store: string;
  readonly policy: string;
  /** The secret that a hub must show. */
  readonly token: string;
  /** Default `domain`. */
  readonly domainLabel?: string;
  readonly durability?: 'process' | 'fsync';
}

/** Reads an agent's YAML file. Throws `bad_config` naming the field at fault. */
export function readAgentConfig(path: string): AgentConfig {
  const raw: Static<typeof AGENT_CONFIG> = readConfigFile(path, AGENT_CONFIG);
  return {
    domain: raw.domain,
    jurisdiction: raw.jurisdiction,
    listen: raw.listen,
    store: resolveBeside(path, raw.store),
    policy: resolveBeside(path, raw.policy),
    token: readSecret(raw, path),
    domainLabel: raw.domain_label,
    durability: raw.durability,
  };
}
