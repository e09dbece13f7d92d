import type { FastifyRequest } from 'fastify';
import { ComityError } from '../base/errors.ts';

/** The `:name` of a path as the label that it means. Throws `bad_data` for none. */
export function labelNameOf(request: FastifyRequest): string {
  const name = unescapeLabelName((request.params as { name: string }).name);
  if (name === '') throw new ComityError('bad_data', 'invalid label name: ""');
  return name;
}

/**
 * A label name from a URL, where clients write names that are no plain identifiers as `U__…` with `_hex_` for a character
 * and `__` for an underscore (https://prometheus.io/docs/instrumenting/escaping_schemes/). Anything that does not read as
 * such stays as it is.
 */
export function unescapeLabelName(name: string): string {
  if (!name.startsWith('U__')) return name;
  const body = name.slice(3);
  if (!/^(?:[^_]|__|_[0-9a-fA-F]{1,5}_)*$/.test(body)) return name;
  const read = body.replaceAll(/__|_([0-9a-fA-F]{1,5})_/g, (_whole, hex: string | undefined) =>
    hex === undefined ? '_' : String.fromCodePoint(Number.parseInt(hex, 16)),
  );
  // Half of a surrogate pair is no character.
  return read.isWellFormed() ? read : name;
}
