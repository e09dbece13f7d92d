import type { ServerHttp2Stream } from 'node:http2';
import { ComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import { chunkGatherer, decompress, type BodyBudget, type Encoding } from './request-body.ts';

/** What precedes each message: one byte that says whether it is compressed, and its length in four. */
const PREFIX_BYTES = 5;

/** A message with its prefix, for a stream. */
export function frameMessage(message: Buffer): Buffer {
  const frame = Buffer.alloc(PREFIX_BYTES + message.length);
  frame.writeUInt32BE(message.length, 1);
  message.copy(frame, PREFIX_BYTES);
  return frame;
}

/**
 * Reads the only message of a unary call (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md). Its bytes
 * count in `budget` as they come; the caller gives back what `held` says once it is done with the message.
 *
 * Rejects with `bad_data` for what is not one message, `body_too_large`, `overloaded`, `timeout` when it is not here after
 * `timeoutMs`, `canceled` when the sender left.
 */
export function readMessage(
  stream: ServerHttp2Stream,
  budget: BodyBudget,
  timeoutMs: number,
  held: { bytes: number },
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const gatherer = chunkGatherer();
    const chunks: Buffer[] = [];
    let prefix = NO_BYTES;
    let bytes = 0;
    let expectedBytes: number | undefined;

    function take(chunk: Buffer): void {
      budget.take(chunk.length);
      held.bytes += chunk.length;
      bytes += chunk.length;
      for (const part of gatherer.add(chunk)) chunks.push(part);
      if (prefix.length < PREFIX_BYTES) {
        prefix = Buffer.concat([prefix, chunk.subarray(0, PREFIX_BYTES - prefix.length)]);
        if (prefix.length === PREFIX_BYTES) expectedBytes = PREFIX_BYTES + lengthOf(prefix);
      }
      if (bytes > (expectedBytes ?? Infinity)) throw new ComityError('bad_data', 'the call has more than one message');
    }

    function onData(chunk: Buffer): void {
      try {
        take(chunk);
      } catch (error) {
        fail(error as Error);
      }
    }

    function onEnd(): void {
      if (bytes === expectedBytes) {
        settle();
        resolve(Buffer.concat([...chunks, gatherer.rest()], bytes));
        return;
      }
      // A stream that is reset ends, too.
      if (stream.aborted || stream.closed) return onClose();
      const rest = expectedBytes === undefined ? '' : ` of ${expectedBytes}`;
      fail(new ComityError('bad_data', `the call ended after ${bytes}${rest} bytes, before the end of its message`));
    }

    function onClose(): void {
      fail(new ComityError('canceled', 'the sender left before the end of its message'));
    }

    function onTimeout(): void {
      fail(new ComityError('timeout', `the message did not arrive within ${timeoutMs} ms. Send it again`));
    }

    function fail(error: Error): void {
      settle();
      chunks.length = 0;
      // What still comes is thrown away.
      stream.resume();
      reject(error);
    }

    function settle(): void {
      clearTimeout(timer);
      stream.off('data', onData).off('end', onEnd).off('close', onClose);
    }

    const timer = setTimeout(onTimeout, timeoutMs);
    stream.on('data', onData).on('end', onEnd).on('close', onClose);
  });
}

/** The content of a framed message. Throws `bad_data`, `body_too_large`. `encoding` is undefined when it is none of ours. */
export function contentOf(framed: Buffer, encoding: Encoding | undefined): Buffer {
  const content = framed.subarray(PREFIX_BYTES);
  if (framed[0] === 0) return content;
  if (framed[0] !== 1) throw new ComityError('bad_data', 'the first byte of the message must be 0 or 1');
  if (encoding === undefined) {
    throw new ComityError('unsupported_media_type', 'grpc-encoding names a compression that is not known here');
  }
  if (encoding === 'identity')
    throw new ComityError('bad_data', 'the message is compressed, grpc-encoding says it is not');
  return decompress(content, encoding);
}

const NO_BYTES = Buffer.alloc(0);

function lengthOf(prefix: Buffer): number {
  const length = prefix.readUInt32BE(1);
  if (length > LIMITS.bodyBytes) {
    throw new ComityError(
      'body_too_large',
      `the message has more than ${LIMITS.bodyBytes} bytes. Send smaller batches`,
    );
  }
  return length;
}
