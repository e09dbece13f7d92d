import { Transform } from 'node:stream';
import { constants, gunzipSync, inflateSync, zstdDecompressSync, type ZlibOptions, type ZstdOptions } from 'node:zlib';
import type { FastifyInstance } from 'fastify';
import { ComityError, messageOf } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';

/** The bytes of bodies that are held at once: one for all receivers of an agent. */
export interface BodyBudget {
  /** Holds `bytes` more. Throws `overloaded`, and holds nothing of them, when that would pass the bound. */
  take(bytes: number): void;
  /** Gives back what was taken. */
  release(bytes: number): void;
  readonly heldBytes: number;
}

/** `limitBytes` is `LIMITS.bodyBytesAtOnce`, but for tests. */
export function bodyBudget(limitBytes: number): BodyBudget {
  let heldBytes = 0;
  return {
    take(bytes) {
      if (heldBytes + bytes > limitBytes) {
        throw new ComityError('overloaded', `more than ${limitBytes} bytes of bodies are held. Send it again later`);
      }
      heldBytes += bytes;
    },
    release(bytes) {
      heldBytes -= bytes;
    },
    get heldBytes() {
      return heldBytes;
    },
  };
}

/**
 * Counts the bytes of the bodies that requests of this scope hold, from their arrival until the reply is out. Bytes count
 * once they are here, not when they are announced: a sender that is slow or stops takes no room from others but for what
 * it sent. The request that would pass the bound fails with `overloaded`.
 */
export function boundBodies(scope: FastifyInstance, budget: BodyBudget): void {
  scope.addHook('preParsing', async (_request, reply, payload) => {
    let own = 0;
    let open = true;
    // `close` comes exactly once, also when the sender hangs up.
    reply.raw.once('close', () => {
      open = false;
      budget.release(own);
    });
    const gathered = chunkGatherer();
    const counted = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        // What still comes after the reply is thrown away.
        if (!open) return done();
        try {
          budget.take(chunk.length);
        } catch (error) {
          return done(error as Error);
        }
        own += chunk.length;
        for (const part of gathered.add(chunk)) counted.push(part);
        return done();
      },
      flush: (done) => done(null, gathered.rest()),
    });
    // Not a pipeline: that would end the connection with the body, before the reply.
    payload.once('error', (error) => counted.destroy(error));
    return payload.pipe(counted);
  });
}

/**
 * Makes chunks cost no more memory than a few times their bytes, whatever a sender does: small ones, each some hundred
 * bytes of its own, are gathered into larger ones, and a chunk that is a small part of what was read with it is copied,
 * or it would keep all of that.
 */
export interface ChunkGatherer {
  /** What is ready once `chunk` has come: nothing while small ones are gathered. */
  add(chunk: Buffer): Buffer[];
  /** The gathered rest. */
  rest(): Buffer;
}

export function chunkGatherer(): ChunkGatherer {
  let small: Buffer = NO_BYTES;
  let used = 0;
  const rest = (): Buffer => {
    const gathered = small.subarray(0, used);
    small = NO_BYTES;
    used = 0;
    return gathered;
  };
  return {
    add(chunk) {
      if (chunk.length >= SMALL_CHUNK_BYTES) {
        const own = chunk.length * KEPT_PART < chunk.buffer.byteLength ? copyOf(chunk) : chunk;
        return used === 0 ? [own] : [rest(), own];
      }
      const full = used > 0 && used + chunk.length > small.length ? [rest()] : [];
      if (used === 0) small = Buffer.allocUnsafeSlow(GATHERED_BYTES);
      used += chunk.copy(small, used);
      return full;
    },
    rest,
  };
}

/** Chunks below this are gathered. */
const SMALL_CHUNK_BYTES = 1024;

/** Room for small chunks; every body under way may have one. */
const GATHERED_BYTES = 4 * 1024;

/** A chunk may be this part of the memory that it keeps. One read is 64 KB, a frame of HTTP/2 in it 16 KB. */
const KEPT_PART = 4;

function copyOf(chunk: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(chunk.length);
  chunk.copy(copy);
  return copy;
}

const NO_BYTES = Buffer.alloc(0);

/** The handlers of this scope get each body as the bytes that came (a `Buffer`), up to `LIMITS.bodyBytes`. */
export function takeRawBodies(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers();
  scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: LIMITS.bodyBytes }, (_request, body, done) => {
    done(null, body);
  });
}

/** The Content-Encodings that `decompress` knows. */
export const ENCODINGS = ['identity', 'gzip', 'deflate', 'zstd'] as const;

export type Encoding = (typeof ENCODINGS)[number];

/** The encoding that a header names, undefined when it is none of ours; no header is `identity`. */
export function encodingOf(header: string | undefined): Encoding | undefined {
  const name = (header ?? '').trim().toLowerCase();
  return name === '' ? 'identity' : ENCODINGS.find((encoding) => encoding === name);
}

/**
 * The body as it was before compression. Decompression stops as soon as the output passes the limit, so a bomb costs no
 * more than an honest request. Throws `body_too_large` or `bad_data`.
 */
export function decompress(body: Buffer, encoding: Encoding, limitBytes: number = LIMITS.decompressedBytes): Buffer {
  if (encoding === 'identity') return body;
  try {
    const options = { maxOutputLength: limitBytes, chunkSize: outputBytes(body) };
    if (encoding === 'gzip') return gunzipSync(body, options);
    return encoding === 'deflate' ? inflate(body, options) : unzstd(body, limitBytes);
  } catch (error) {
    if (error instanceof RangeError) {
      const message = `the body has more than ${limitBytes} bytes after decompression. Send smaller batches`;
      throw new ComityError('body_too_large', message);
    }
    throw new ComityError('bad_data', `malformed ${encoding}: ${error instanceof Error ? error.message : 'unknown'}`);
  }
}

/**
 * The largest window of a zstd stream, 2^25 bytes, which the decoder must allocate. Senders over HTTP keep to 2^23
 * (RFC 9659); the Collector's library takes up to 2^25 at its strongest.
 */
const ZSTD_WINDOW_LOG = 25;

/** Frames in one zstd body. Senders write one, parallel compressors a few; each costs a decoder. */
const ZSTD_FRAMES = 64;

/**
 * Room for what a body may become, so that most need no second buffer: telemetry shrinks to a tenth. Buffers that come and
 * go make the garbage collector run.
 */
function outputBytes(body: Buffer): number {
  return Math.min(Math.max(body.length * 12, 16 * 1024), 4 * 1024 * 1024);
}

/** zlib reads one zstd frame and says nothing of what follows it. */
function unzstd(body: Buffer, limitBytes: number): Buffer {
  const parts: Buffer[] = [];
  let bytes = 0;
  let at = 0;
  do {
    if (parts.length === ZSTD_FRAMES) throw new Error(`more than ${ZSTD_FRAMES} frames`);
    const params = { [constants.ZSTD_d_windowLogMax]: ZSTD_WINDOW_LOG };
    // Zero would mean no limit, and one byte more than is left is still too much.
    const maxOutputLength = Math.max(limitBytes - bytes, 1);
    const rest = body.subarray(at);
    const options = { maxOutputLength, params, chunkSize: outputBytes(rest) };
    const { output, read } = withBytesRead(zstdDecompressSync, rest, options);
    if (read === 0) throw new Error(`no frame at byte ${at}`);
    parts.push(output);
    bytes += output.length;
    at += read;
    if (bytes > limitBytes) throw new RangeError('too large');
  } while (at < body.length);
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts, bytes);
}

function inflate(body: Buffer, options: ZlibOptions): Buffer {
  const { output, read } = withBytesRead(inflateSync, body, options);
  if (read < body.length) throw new Error(`${body.length - read} bytes after its end`);
  return output;
}

/** zlib's `info` option adds what it has read to what it returns, which its types do not say. */
function withBytesRead<O extends ZlibOptions | ZstdOptions>(
  decode: (body: Buffer, options: O) => unknown,
  body: Buffer,
  options: O,
): { output: Buffer; read: number } {
  const { buffer, engine } = decode(body, { ...options, info: true }) as {
    buffer: Buffer;
    engine: { bytesWritten: number };
  };
  return { output: buffer, read: engine.bytesWritten };
}

/** What a receiver answers to an error, the web server's about a body among them. `fault` is told of the rest. */
export function toReceiverError(error: unknown, fault: (error: unknown) => void): ComityError {
  if (error instanceof ComityError) return error;
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  if (status === 413) {
    return new ComityError('body_too_large', `the body has more than ${LIMITS.bodyBytes} bytes. Send smaller batches`);
  }
  if (typeof status === 'number' && status >= 400 && status < 500) {
    return new ComityError('bad_data', messageOf(error));
  }
  fault(error);
  // The reason may name files, which are no business of a sender.
  return new ComityError('internal', 'the request could not be handled, by a fault of the agent', { cause: error });
}

/** For routes whose hook has answered. */
export async function neverReached(): Promise<void> {
  await Promise.resolve();
}
