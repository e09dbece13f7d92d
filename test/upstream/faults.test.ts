import { createServer, type RequestListener, type Server } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { readReadResponse } from '../../src/upstream/read-response.ts';
import { startReadBudget } from '../../src/upstream/samples.ts';
import { ComityError } from '../../src/base/errors.ts';
import type { Upstream } from '../../src/upstream/upstream.ts';
import { mutate } from '../mutate.ts';
import { encodeWriteRequest } from '../oracle/remote-write.ts';
import { randomFrom } from '../random.ts';
import { AT_MS, fragmentOf } from './fragments.ts';
import { answerOf, minutely, openTestUpstream } from './harness.ts';

const VICTIM = 'customer-4711';

let server: Server | undefined;
let upstream: Upstream | undefined;
afterEach(async () => {
  await upstream?.close();
  server?.closeAllConnections();
  server?.close();
});

type Answer = (url: string, response: Parameters<RequestListener>[1]) => void;

/** A server that says it is a Prometheus 3, and answers the rest by `answer`. */
async function against(answer: Answer, engine: 'prometheus' | 'victoriametrics' = 'prometheus'): Promise<Upstream> {
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString('latin1')));
    request.on('end', () => {
      const params = new URLSearchParams(body);
      const query = params.get('query') ?? '';
      if (query.startsWith('count_over_time(vector(1)')) {
        return success(response, { resultType: 'vector', result: [{ metric: {}, value: [600, '2'] }] });
      }
      if (request.url!.startsWith('/api/v1/series')) return success(response, []);
      if (/status\/flags|features/.test(request.url!)) return success(response, {});
      if (request.url!.startsWith('/api/v1/status/config')) return success(response, { yaml: '{}' });
      answer(request.url!, response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  upstream = openTestUpstream({ url: `http://127.0.0.1:${port}`, engine });
  return upstream;
}

function success(response: Parameters<RequestListener>[1], data: unknown): void {
  response.setHeader('content-type', 'application/json').end(JSON.stringify({ status: 'success', data }));
}

function failure(status: number, errorType: string): Answer {
  const error = `something about ${VICTIM}`;
  return (_url, response) => response.writeHead(status).end(JSON.stringify({ status: 'error', errorType, error }));
}

function vector(...rows: readonly unknown[]): Answer {
  return (_url, response) => success(response, { resultType: 'vector', result: rows });
}

async function faultOf(asked: Upstream, options: Parameters<typeof answerOf>[2] = {}): Promise<string> {
  try {
    await answerOf(asked, fragmentOf('sum by (job) (x)', 'partial'), options);
    return 'answered';
  } catch (error) {
    if (!(error instanceof ComityError)) throw error;
    expect(error.message).not.toContain(VICTIM);
    return error.code;
  }
}

describe('errors of the server', () => {
  test.for<readonly [string, Answer, string]>([
    ['an error of execution', failure(422, 'execution'), 'execution'],
    ['a timeout', failure(503, 'timeout'), 'timeout'],
    ['a fault', failure(500, 'internal'), 'unavailable'],
    ['a proxy without a server', (_url, response) => response.writeHead(502).end('<html>'), 'unavailable'],
    ['no access', (_url, response) => response.writeHead(401).end(), 'unavailable'],
    ['a redirect', (_url, response) => response.writeHead(302, { location: '/elsewhere' }).end(), 'unavailable'],
    ['no JSON', (_url, response) => response.end('up and running'), 'unavailable'],
    [
      'half an answer',
      (_url, response) => response.write('{"status":"success"', () => response.destroy()),
      'unavailable',
    ],
    ['an error that is none', failure(200, ''), 'unavailable'],
    ['no result', (_url, response) => success(response, null), 'unavailable'],
    ['a scalar', (_url, response) => success(response, { resultType: 'scalar', result: [1, '1'] }), 'unavailable'],
    ['a number that is none', vector({ metric: {}, value: [AT_MS / 1000, 'many'] }), 'unavailable'],
    ['a value at another time', vector({ metric: {}, value: [AT_MS / 1000 + 1, '1'] }), 'unavailable'],
    ['a label that is no text', vector({ metric: { job: 1 }, value: [AT_MS / 1000, '1'] }), 'unavailable'],
    [
      'a series twice',
      vector(
        { metric: { job: 'a' }, value: [AT_MS / 1000, '1'] },
        { metric: { job: 'a' }, value: [AT_MS / 1000, '2'] },
      ),
      'unavailable',
    ],
    [
      'more than can be held',
      (_url, response) => {
        const chunk = Buffer.alloc(1024 * 1024, ' ');
        const more = (): void => void (response.destroyed || response.write(chunk, more));
        more();
      },
      'limit',
    ],
  ])('%s', async ([, answer, code]) => {
    expect(await faultOf(await against(answer))).toBe(code);
  });

  test('samples past its own limit', async () => {
    const asked = await against((url, response) => {
      if (url.startsWith('/api/v1/read')) return void response.writeHead(400).end(`exceeded sample limit of ${VICTIM}`);
      return failure(400, 'bad_data')(url, response);
    });
    expect(await faultOf(asked)).toBe('limit');
  });

  test('nobody listens', async () => {
    const asked = await against(vector());
    server!.closeAllConnections();
    server!.close();
    await once(server!, 'close');
    expect(await faultOf(asked)).toBe('unavailable');
  });

  test('it hangs up while a query runs', async () => {
    expect(await faultOf(await against((_url, response) => void setTimeout(() => response.destroy(), 50)))).toBe(
      'unavailable',
    );
  });

  test('it is slow, or nobody waits any more', async () => {
    const asked = await against(() => undefined);
    expect(await faultOf(asked, { deadlineMs: Date.now() + 100 })).toBe('timeout');
    expect(await faultOf(asked, { signal: AbortSignal.timeout(100) })).toBe('canceled');
  });

  test('when it is down no stream is observed', async () => {
    const asked = await against(vector({ metric: {}, value: [AT_MS / 1000, '3'] }));
    await expect.poll(() => asked.state()).toMatchObject({ expected: 3, observed: 3, isUp: true });
    server!.closeAllConnections();
    server!.close();
    await expect.poll(() => asked.state(), { timeout: 5_000 }).toMatchObject({ expected: 3, observed: 0, isUp: false });
  });
});

describe('lines of an export', () => {
  const line = (values: string, timestamps: string, metric = '{"__name__":"x","job":"a"}'): Answer => {
    const text = `{"metric":${metric},"values":${values},"timestamps":${timestamps}}\n`;
    return (_url, response) => response.end(text);
  };
  test.for<readonly [string, Answer, string]>([
    ['no JSON', line('[1', '[1]'), 'unavailable'],
    ['fewer times than values', line('[1,2]', `[${AT_MS}]`), 'unavailable'],
    ['a value that is none', line('["many"]', `[${AT_MS}]`), 'unavailable'],
    ['a time that is none', line('[1]', '[1.5]'), 'unavailable'],
    ['times that go back', line('[1,2]', `[${AT_MS},${AT_MS - 1}]`), 'unavailable'],
    ['a label that is no text', line('[1]', `[${AT_MS}]`, '{"job":1}'), 'unavailable'],
    [
      'infinities as older versions write them',
      line('[+Inf,-Inf,NaN]', `[${AT_MS - 2},${AT_MS - 1},${AT_MS}]`),
      'answered',
    ],
  ])('%s', async ([, answer, code]) => {
    // What is not pushed is read.
    const asked = await against((url, response) => {
      if (url.startsWith('/api/v1/export')) answer(url, response);
      else response.writeHead(400).end();
    }, 'victoriametrics');
    const fragment = fragmentOf('stddev by (job) (x)', 'partial');
    const outcome = answerOf(asked, fragment).then(
      () => 'answered',
      (error: ComityError) => error.code,
    );
    expect(await outcome).toBe(code);
  });
});

test('changed bytes of a read response never do more than fail', () => {
  const seed = 7;
  const random = randomFrom(seed);
  const series = [minutely({ __name__: 'x', job: 'a' }, [1, 2, 3]), minutely({ __name__: 'y' }, [NaN, 1e300])];
  // A result has its series as a write request has them.
  const inner = Buffer.from(encodeWriteRequest(series));
  const whole = Buffer.concat([Buffer.of(0x0a, (inner.length & 0x7f) | 0x80, inner.length >> 7), inner]);
  expect(readReadResponse(whole, startReadBudget())[0]!.map(({ labels, values }) => [labels, [...values]])).toEqual(
    series.map(({ labels, values }) => [labels, [...values]]),
  );
  for (let i = 0; i < 3_000; i++) {
    try {
      readReadResponse(mutate(random, whole), startReadBudget());
    } catch (error) {
      expect(error, `seed ${seed}, case ${i}`).toBeInstanceOf(ComityError);
    }
  }
});
