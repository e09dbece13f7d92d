import { Transform } from 'node:stream';
import { gunzipSync } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { CONTENT_TYPES } from '../wire/otlp/reply.ts';
import type { OtlpFormat } from '../wire/otlp/decode.ts';

/** The format that a Content-Type header names; parameters such as a charset are ignored. Throws 415. */
export function formatOf(contentType: string | undefined): OtlpFormat {
  const mediaType = (contentType ?? '').split(';', 1)[0]!.trim().toLowerCase();
  for (const format of ['protobuf', 'json'] as const) if (mediaType === CONTENT_TYPES[format]) return format;
  throw new ComityError(
    'unsupported_media_type',
    `Content-Type must be ${CONTENT_TYPES.protobuf} or ${CONTENT_TYPES.json}, not ${JSON.stringify(contentType ?? '')}`,
  );
}

/** Refuses an encoding that `decompress` does not know, before the body is read. Throws 415. */
export function checkEncoding(contentEncoding: string | undefined): void {
  if (isGzip(contentEncoding)) return;
  const encoding = (contentEncoding ?? '').trim().toLowerCase();
  if (encoding === '' || encoding === 'identity') return;
  throw new ComityError(
    'unsupported_media_type',
    `Content-Encoding must be gzip or identity, not ${JSON.stringify(contentEncoding)}`,
  );
}

/**
 * The body as it was before compression. zlib stops as soon as the output passes the limit, so a bomb costs no more than
 * an honest request. Throws `body_too_large` or `bad_data`.
 */
export function decompress(body: Buffer, contentEncoding: string | undefined): Buffer {
  if (!isGzip(contentEncoding)) return body;
  try {
    return gunzipSync(body, { maxOutputLength: LIMITS.decompressedBytes });
  } catch (error) {
    if (error instanceof RangeError) {
      throw new ComityError(
        'body_too_large',
        `the body has more than ${LIMITS.decompressedBytes} bytes after decompression. Send smaller batches`,
      );
    }
    throw new ComityError('bad_data', `malformed gzip: ${error instanceof Error ? error.message : String(error)}`);
  }
}

/**
 * Bounds the bytes of bodies that requests of this scope hold, from their arrival until the reply is out. Bytes count once
 * they are here, not when they are announced: a sender that is slow or stops takes no room from others but for what it
 * sent. The request that would pass the bound fails with `overloaded`.
 */
export function boundBodies(scope: FastifyInstance, limitBytes: number): void {
  let held = 0;
  scope.addHook('preParsing', async (_request, reply, payload) => {
    let own = 0;
    let open = true;
    // `close` comes exactly once, also when the sender hangs up.
    reply.raw.once('close', () => {
      open = false;
      held -= own;
    });
    const counted = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        // What still comes after the reply is thrown away.
        if (!open) return done();
        if (held + chunk.length > limitBytes) {
          return done(
            new ComityError('overloaded', `more than ${limitBytes} bytes of bodies are held. Send it again later`),
          );
        }
        held += chunk.length;
        own += chunk.length;
        return done(null, chunk);
      },
    });
    // Not a pipeline: that would end the connection with the body, before the reply.
    payload.once('error', (error) => counted.destroy(error));
    return payload.pipe(counted);
  });
}

function isGzip(contentEncoding: string | undefined): boolean {
  return (contentEncoding ?? '').trim().toLowerCase() === 'gzip';
}
