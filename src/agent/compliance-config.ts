import Type, { type Static } from 'typebox';
import { readSecret } from '../base/config.ts';

/** Where and by what token the domain's compliance role asks, in an agent's configuration. */
export const COMPLIANCE = Type.Object(
  {
    listen: Type.String({ default: '127.0.0.1:7202' }),
    token: Type.Optional(Type.String()),
    token_file: Type.Optional(Type.String()),
  },
  { additionalProperties: false },
);

export interface ComplianceConfig {
  readonly listen: string;
  readonly token: string;
}

/** Throws `bad_config` naming the file where there is no token. */
export function complianceConfig(
  raw: Static<typeof COMPLIANCE> | undefined,
  path: string,
): ComplianceConfig | undefined {
  return raw === undefined ? undefined : { listen: raw.listen, token: readSecret(raw, path, '/compliance') };
}
