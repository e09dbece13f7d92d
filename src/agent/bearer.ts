import { createHash, timingSafeEqual } from 'node:crypto';

/** Somebody who is known by a secret. */
export interface BearerToken<T> {
  readonly token: string;
  readonly value: T;
}

/**
 * Finds whose token an `Authorization` header carries. Every token is compared, and digests of one length, so that the time
 * it takes tells nothing of any of them.
 */
export function bearerOf<T>(known: readonly BearerToken<T>[]): (authorization: string | undefined) => T | undefined {
  const digests = known.map(({ token, value }) => ({ expected: digest(`Bearer ${token}`), value }));
  return (authorization) => {
    const shown = digest(authorization ?? '');
    let found: T | undefined;
    for (const { expected, value } of digests) if (timingSafeEqual(expected, shown)) found = value;
    return found;
  };
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
