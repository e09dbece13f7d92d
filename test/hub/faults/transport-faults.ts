import { ComityError } from '../../../src/base/errors.ts';
import { LIMITS } from '../../../src/base/limits.ts';
import { messageCodec } from '../../../src/base/proto.ts';
import { encodeErrorAnswer } from '../../../src/plan/frames/status-codec.ts';
import { mutate } from '../../mutate.ts';
import { saying, type Fault } from './fault.ts';

const any = messageCodec<{ version: number }>('federation.proto', 'comity.federation.v1.AnyMessage');

const STATUSES = [204, 206, 301, 400, 401, 403, 404, 408, 409, 413, 415, 429, 500, 501, 502, 503, 504, 599];

const failing = (name: string, error: () => unknown): Fault => ({
  name: `it fails: ${name}`,
  isPlain: true,
  answer: () => Promise.reject(error()),
});
const withCode = (code: string) => (): Error => Object.assign(new Error(`no ${code} is ever shown`), { code });

/** Of bytes, whatever they are of. */
const BYTE_FAULTS: readonly Fault[] = [
  { name: 'garbage', isPlain: true, answer: (asked) => saying(asked, noise(asked.random.int(1, 2_000), asked)) },
  { name: 'nothing at all', isPlain: true, answer: (asked) => saying(asked, new Uint8Array(0)) },
  { name: 'a page of text', isPlain: true, answer: (asked) => saying(asked, Buffer.from('<html>502</html>')) },
  {
    name: 'another version',
    isPlain: true,
    answer(asked) {
      const version = any.encode({ version: asked.random.pick([0, 1, 4, 6, 2 ** 31]) });
      return saying(asked, Buffer.concat([version, asked.honest.bytes.subarray(2)]));
    },
  },
  {
    name: 'a truncated answer',
    isPlain: true,
    answer: (asked) =>
      saying(asked, asked.honest.bytes.subarray(0, asked.random.int(1, asked.honest.bytes.length - 1))),
  },
  {
    name: 'an answer with more behind it',
    isPlain: true,
    answer: (asked) => saying(asked, Buffer.concat([asked.honest.bytes, noise(asked.random.int(1, 30), asked)])),
  },
  {
    name: 'an answer twice',
    isPlain: true,
    answer: (asked) => saying(asked, Buffer.concat([asked.honest.bytes, asked.honest.bytes])),
  },
  {
    name: 'a million fields',
    isPlain: true,
    answer(asked) {
      const tag = asked.random.int(1, 15) * 8 + 2;
      const fields = new Uint8Array(2_000_000).map((_byte, i) => (i % 2 === 0 ? tag : 0));
      return saying(asked, Buffer.concat([asked.honest.bytes, fields]));
    },
  },
  {
    name: 'changed bytes',
    isPlain: false,
    answer: (asked) => saying(asked, mutate(asked.random, asked.honest.bytes)),
  },
];

/** Of the way to a domain, of all that is sent and of the answer in it. */
export const TRANSPORT_FAULTS: readonly Fault[] = [
  ...BYTE_FAULTS,
  ...BYTE_FAULTS.map((fault): Fault => ({ ...fault, name: `${fault.name}, receipt included`, layer: 'wire' })),
  {
    name: 'an HTTP error with any body',
    layer: 'wire',
    isPlain: true,
    answer(asked) {
      const { random, honest } = asked;
      const bytes = random.pick([
        () => new Uint8Array(0),
        () => noise(100, asked),
        () => new Uint8Array(2_000_000),
        () => honest.bytes,
        () => encodeErrorAnswer(random.pick(['bad_data', 'unsupported', 'overloaded', 'a\nb', 'x'.repeat(2_000)])),
      ])();
      const retryAfterMs = random.pick([undefined, undefined, 0, 5, -1, NaN, Infinity, 1e300]);
      return { ...saying(asked, bytes), statusCode: random.pick(STATUSES), retryAfterMs };
    },
  },
  {
    name: 'an answer to another request',
    isPlain: true,
    // Another one with the same content, which has an id of its own.
    async answer(asked) {
      const { bytes } = asked.honest;
      const id = Buffer.from(bytes.subarray(-8));
      id[asked.random.int(0, 7)]! ^= 1 << asked.random.int(0, 7);
      return saying(asked, Buffer.concat([bytes.subarray(0, -8), id]));
    },
  },
  {
    name: 'another domain’s answer',
    layer: 'wire',
    isPlain: true,
    answer: ({ other, endpoint, body, context }) => other.send(endpoint, body, context),
  },
  ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'EHOSTUNREACH', 'UND_ERR_SOCKET', 'UND_ERR_HEADERS_TIMEOUT'].map((code) =>
    failing(code, withCode(code)),
  ),
  failing('a body that is no zstd', withCode('ZSTD_error_prefix_unknown')),
  failing('a bomb', withCode('ERR_BUFFER_TOO_LARGE')),
  failing(
    'an answer that is too long',
    () => new ComityError('limit', `an answer of over ${LIMITS.answerBytes} bytes`),
  ),
  failing('an error without a code', () => new TypeError('terminated')),
  failing('a time-out of its own', () => new DOMException('The operation was aborted due to timeout', 'TimeoutError')),
  failing('an abort of its own', () => new DOMException('This operation was aborted', 'AbortError')),
  {
    name: 'silence',
    isPlain: true,
    isSilent: true,
    answer: ({ context: { signal } }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  },
  { name: 'silence that no abort ends', isPlain: true, isSilent: true, answer: () => new Promise(() => {}) },
];

function noise(
  length: number,
  { random }: { readonly random: { int(low: number, high: number): number } },
): Uint8Array {
  return Uint8Array.from({ length }, () => random.int(0, 255));
}
