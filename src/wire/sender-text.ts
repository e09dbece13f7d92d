import { LIMITS } from '../base/limits.ts';

/** Whether a text passes the limit of labels; most are so short that their bytes need not be counted. */
export function isTooLong(text: string): boolean {
  if (text.length * 3 <= LIMITS.labelBytes) return false;
  return text.length > LIMITS.labelBytes || Buffer.byteLength(text) > LIMITS.labelBytes;
}

/** A sender's text, quoted and cut to a length fit for a message. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
