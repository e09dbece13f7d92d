import { createHmac, createSecretKey } from 'node:crypto';

/** Values as they look to whoever lacks the key: equal for equal values of one name, and of no other name. */
export type Pseudonyms = (name: string, value: string) => string;

/**
 * Pseudonyms under a key: `~` and 22 characters of base64url, the first 132 bits of an HMAC-SHA-256 over name and value.
 * That two among the two million series of a full domain are equal has a probability of 4 in 10^28.
 */
export function pseudonyms(key: Uint8Array): Pseudonyms {
  const secret = createSecretKey(key);
  const text = Buffer.alloc(PSEUDONYM_CHARS, '~');
  return (name, value) => {
    // The length tells where the name ends, so that no other pair makes the same message.
    const message = `${name.length}:${name}${value}`;
    // UTF-8 has no half surrogates and would make them all equal. A text in UTF-16 is none in UTF-8: its second byte is zero.
    const encoding = message.isWellFormed() ? 'utf8' : 'utf16le';
    // Written into a buffer that takes no more, and read out as one flat text: parts of texts keep the whole alive.
    text.write(createHmac('sha256', secret).update(message, encoding).digest('base64url'), 1, 'latin1');
    return text.toString('latin1');
  };
}

const PSEUDONYM_CHARS = 23;
