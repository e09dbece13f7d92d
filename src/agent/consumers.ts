import Type, { type Static } from 'typebox';
import { readSecret } from '../base/config.ts';
import { ComityError, messageOf } from '../base/errors.ts';
import type { ConsumerToken } from './answer.ts';

/** Who may ask besides the holder of `token`, in an agent's configuration. */
export const CONSUMERS = Type.Array(
  Type.Object(
    {
      name: Type.String({ pattern: '^[A-Za-z0-9_.-]{1,64}$' }),
      /** Where an answer goes to; the ledger says so. */
      jurisdiction: Type.String({ minLength: 1, maxLength: 64 }),
      token: Type.Optional(Type.String()),
      token_file: Type.Optional(Type.String()),
    },
    { additionalProperties: false },
  ),
  { minItems: 1, maxItems: 64 },
);

/** Whoever shows the token that has no name of its own. */
const HUB = { name: 'hub', jurisdiction: 'unknown' } as const;

/** How an agent is told who may ask. */
export interface Askers {
  /** The secret of a hub that has no name of its own; left out where consumers are named. */
  readonly token?: string | undefined;
  readonly consumers?: readonly ConsumerToken[] | undefined;
}

/** Everybody who may ask. Throws `bad_config` where there is nobody, or where two could not be told apart. */
export function consumersOf({ token, consumers = [] }: Askers): readonly ConsumerToken[] {
  const all = token === undefined ? consumers : [{ ...HUB, token }, ...consumers];
  if (all.length === 0) throw new ComityError('bad_config', 'nobody may ask: give token, token_file or consumers');
  for (const [i, one] of all.entries()) {
    const earlier = all.slice(0, i).find((other) => other.name === one.name || other.token === one.token);
    if (earlier === undefined) continue;
    const isName = earlier.name === one.name;
    const what = isName ? `two have the name ${one.name}` : `${earlier.name} and ${one.name} have the same token`;
    throw new ComityError('bad_config', `consumers: ${what}. Give each its own`);
  }
  return all;
}

interface RawAskers {
  readonly token?: string;
  readonly token_file?: string;
  readonly consumers?: Static<typeof CONSUMERS>;
}

/** Reads who may ask from a configuration file. Throws `bad_config` naming it. */
export function readAskers(raw: RawAskers, path: string): Askers {
  const consumers = raw.consumers?.map(({ name, jurisdiction, ...secret }, i) => {
    return { name, jurisdiction, token: readSecret(secret, path, `/consumers/${i}`) };
  });
  const hasToken = raw.token !== undefined || raw.token_file !== undefined || consumers === undefined;
  const askers = { token: hasToken ? readSecret(raw, path) : undefined, consumers };
  try {
    consumersOf(askers);
  } catch (error) {
    throw new ComityError('bad_config', `${path}: ${messageOf(error)}`, { cause: error });
  }
  return askers;
}
