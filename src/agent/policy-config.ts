import Type, { type Static } from 'typebox';
import { readSecret, resolveBeside } from '../base/config.ts';
import { ComityError, messageOf } from '../base/errors.ts';
import { verifierOf } from '../base/note-key.ts';
import type { BundleKey } from '../policy/bundle.ts';
import type { BundleOrigin } from './bundle-fetch.ts';
import { OPA_TIMEOUT_MS, type OpaOptions } from './opa-veto.ts';

const CLOSED = { additionalProperties: false } as const;
const URL_ROOT = Type.String({ pattern: '^https?://[^/?#@]+(/[^?#]*)?$' });

/** Fields of an agent's configuration about its policy, beyond the domain's own document. */
export const POLICY_FIELDS = {
  /** Where signed bundles come from, and who may sign them. */
  policy_bundle: Type.Optional(
    Type.Object(
      {
        /** Root of a hub that serves them. */
        url: Type.Optional(URL_ROOT),
        /** In place of `url`: a file, or a folder of them. */
        file: Type.Optional(Type.String({ minLength: 1 })),
        /** What the hub asks for, if it does. */
        token: Type.Optional(Type.String({ minLength: 1 })),
        token_file: Type.Optional(Type.String({ minLength: 1 })),
        keys: Type.Array(
          Type.Object({ role: Type.Enum(['compliance', 'operator']), key: Type.String({ minLength: 1 }) }, CLOSED),
          { minItems: 1, maxItems: 64 },
        ),
        /** How long until the next question after one that brought nothing. */
        poll_seconds: Type.Optional(Type.Number({ minimum: 0.1, maximum: 3_600 })),
        /** Where the bundle in force is kept; beside the store, or beside this file, when left out. */
        state: Type.Optional(Type.String({ minLength: 1 })),
      },
      CLOSED,
    ),
  ),
  /** A document that decides in shadow in place of `policy`. */
  policy_canary: Type.Optional(Type.String({ minLength: 1 })),
  /** Asked after the policy has let a fragment through; can only say no. */
  veto: Type.Optional(
    Type.Object(
      {
        opa: Type.Object(
          {
            /** Of the rule, below `/v1/data`. */
            url: Type.String({ pattern: '^https?://[^/?#@]+/v1/data/[^?#]+$' }),
            timeout_ms: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
          },
          CLOSED,
        ),
      },
      CLOSED,
    ),
  ),
};

/** The same with paths, secrets and keys resolved. */
export interface PolicyConfig {
  readonly bundles?: BundleConfig | undefined;
  readonly policyCanary?: string | undefined;
  readonly opa?: OpaOptions | undefined;
}

export interface BundleConfig {
  readonly origin: BundleOrigin;
  readonly keys: readonly BundleKey[];
  /** Where the bundle in force is kept; a place of the agent's choice when left out. */
  readonly statePath?: string | undefined;
}

/** How often a hub that answers at once, or a folder, is asked when nothing else is said. */
const POLL_MS = 10_000;

const RAW = Type.Object(POLICY_FIELDS);

/** Throws `bad_config` naming the field at fault. */
export function policyConfig(raw: Static<typeof RAW>, path: string): PolicyConfig {
  const { policy_bundle: bundle, policy_canary: canary, veto } = raw;
  return {
    bundles: bundle === undefined ? undefined : bundleConfig(bundle, path),
    policyCanary: canary === undefined ? undefined : resolveBeside(path, canary),
    opa: veto === undefined ? undefined : { url: veto.opa.url, timeoutMs: veto.opa.timeout_ms ?? OPA_TIMEOUT_MS },
  };
}

function bundleConfig(raw: NonNullable<Static<typeof RAW>['policy_bundle']>, path: string): BundleConfig {
  const { url, file, token, token_file: tokenFile, state } = raw;
  const pollMs = raw.poll_seconds === undefined ? POLL_MS : raw.poll_seconds * 1000;
  if ((url === undefined) === (file === undefined)) {
    throw new ComityError('bad_config', `${path}: /policy_bundle: give either url or file`);
  }
  if (url === undefined && (token ?? tokenFile) !== undefined) {
    throw new ComityError('bad_config', `${path}: /policy_bundle: a token is shown to a url only`);
  }
  const keys = raw.keys.map(({ role, key }, i): BundleKey => {
    try {
      return { role, verifier: verifierOf(key) };
    } catch (error) {
      throw new ComityError('bad_config', `${path}: /policy_bundle/keys/${i}/key: ${messageOf(error)}`, {
        cause: error,
      });
    }
  });
  const secret = (token ?? tokenFile) === undefined ? undefined : readSecret(raw, path);
  return {
    origin:
      url === undefined
        ? { kind: 'file', path: resolveBeside(path, file!), pollMs }
        : { kind: 'hub', url: url.replace(/\/+$/, ''), token: secret, pollMs },
    keys,
    statePath: state === undefined ? undefined : resolveBeside(path, state),
  };
}
