/**
 * The text in `bytes[start, end)`, undefined where it is not valid UTF-8. Nearly all is ASCII, which is read without a
 * decoder.
 */
export function textOf(bytes: Buffer, start: number, end: number): string | undefined {
  for (let i = start; i < end; i++) {
    if (bytes[i]! >= 0x80) return decoded(bytes.subarray(start, end));
  }
  return bytes.toString('latin1', start, end);
}

/** At most `limit` bytes of the text in `bytes[start, end)`, cut between characters. */
export function cutText(bytes: Buffer, start: number, end: number, limit: number): string | undefined {
  if (end - start <= limit) return textOf(bytes, start, end);
  let cut = start + limit;
  // A byte 10xxxxxx goes on with a character.
  while (cut > start && (bytes[cut]! & 0xc0) === 0x80) cut--;
  return textOf(bytes, start, cut);
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function decoded(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
