import { writeFile } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { opaVeto, type OpaOutcome, type OpaVeto } from '../../src/agent/opa-veto.ts';
import type { VetoInput } from '../../src/border/veto.ts';
import { findOpa } from '../opa/program.ts';
import { answers, startTied, type TiedProgram } from '../senders/tied-program.ts';

const NEVER = new AbortController().signal;

function input(metric: string, consumer = 'hub'): VetoInput {
  return {
    domain: 'eu',
    consumer: { name: consumer, jurisdiction: 'EU' },
    kind: 'query',
    fragments: [
      {
        metrics: [metric],
        operators: ['sum'],
        labels: ['job'],
        from: '2026-11-22T08:00:00.000Z',
        to: '2026-11-22T09:00:00.000Z',
        step_seconds: 60,
      },
    ],
  };
}

const vetoes: OpaVeto[] = [];
afterEach(async () => {
  for (const veto of vetoes.splice(0)) await veto.close();
});

/** What a question comes to: what the veto says, and what it counts. */
async function ask(url: string, given: VetoInput, timeoutMs = 5_000): Promise<[boolean, OpaOutcome]> {
  let outcome: OpaOutcome = 'error';
  const veto = opaVeto({ url, timeoutMs }, (one) => (outcome = one));
  vetoes.push(veto);
  return [await veto.veto(given, NEVER), outcome];
}

describe('any answer but true is a denial', () => {
  let server: Server;
  let url: string;
  let answer: (response: ServerResponse, body: string) => void;
  beforeAll(async () => {
    server = createServer((request, response) => {
      let body = '';
      request.setEncoding('utf8').on('data', (text: string) => (body += text));
      request.on('end', () => answer(response, body));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/data/comity/allow`;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  test.for<[string, number, string, boolean, OpaOutcome]>([
    ['true', 200, '{"result":true}', true, 'allowed'],
    ['true beside other things', 200, '{"decision_id":"1","result":true}', true, 'allowed'],
    ['false', 200, '{"result":false}', false, 'denied'],
    ['the text true', 200, '{"result":"true"}', false, 'denied'],
    ['1', 200, '{"result":1}', false, 'denied'],
    ['an object', 200, '{"result":{"allow":true}}', false, 'denied'],
    ['null', 200, '{"result":null}', false, 'denied'],
    ['undefined', 200, '{}', false, 'undefined'],
    ['a result of the prototype', 200, '{"__proto__":{"result":true}}', false, 'undefined'],
    ['a list', 200, '[true]', false, 'error'],
    ['no JSON', 200, 'true!', false, 'error'],
    ['nothing', 200, '', false, 'error'],
    ['true with an error', 500, '{"result":true}', false, 'error'],
    ['true somewhere else', 201, '{"result":true}', false, 'error'],
    ['too much', 200, `{"result":true,"pad":"${'x'.repeat(100_000)}"}`, false, 'error'],
  ])('%s', async ([, status, body, want, outcome]) => {
    answer = (response) => response.writeHead(status, { 'content-type': 'application/json' }).end(body);
    expect(await ask(url, input('up'))).toEqual([want, outcome]);
  });

  test('a redirect is not followed', async () => {
    answer = (response) => response.writeHead(307, { location: url }).end();
    expect(await ask(url, input('up'))).toEqual([false, 'error']);
  });

  test('an answer that does not come in time', async () => {
    answer = () => undefined;
    expect(await ask(url, input('up'), 100)).toEqual([false, 'timeout']);
  });

  test('an answer that begins in time and does not end', async () => {
    answer = (response) => response.writeHead(200).write('{"result":');
    expect(await ask(url, input('up'), 100)).toEqual([false, 'timeout']);
  });

  test('a connection that is cut', async () => {
    answer = (response) => response.destroy();
    expect(await ask(url, input('up'))).toEqual([false, 'error']);
  });

  test('it is asked with the input as it is', async () => {
    let seen: unknown;
    answer = (response, body) => {
      seen = JSON.parse(body);
      response.end('{"result":true}');
    };
    await ask(url, input('up'));
    expect(seen).toEqual({ input: input('up') });
  });
});

/** Fits the input above; `slow` counts to far beyond any timeout. */
const REGO = `package comity

default allow := false

allow if {
  input.domain == "eu"
  input.consumer.jurisdiction == "EU"
  every fragment in input.fragments {
    not "salary" in fragment.metrics
    "sum" in fragment.operators
  }
}

undecided if input.domain == "none"

words := "true" if true

slow if {
  some a in numbers.range(1, 20000)
  some b in numbers.range(1, 20000)
  a * b == -1
}
`;

const opa = await findOpa();

describe.skipIf(opa === undefined)('a real Open Policy Agent', () => {
  let program: TiedProgram;
  let data: string;
  beforeAll(async () => {
    const port = await freePort();
    data = `http://127.0.0.1:${port}/v1/data/comity`;
    program = await startTied(
      opa!,
      async (dir) => {
        const policy = join(dir, 'comity.rego');
        await writeFile(policy, REGO);
        return ['run', '--server', '--disable-telemetry', '--addr', `127.0.0.1:${port}`, policy];
      },
      () => answers(`http://127.0.0.1:${port}/health`),
    );
  }, 30_000);
  afterAll(() => program.close());

  test.for<[string, string, VetoInput, boolean, OpaOutcome]>([
    ['a rule that holds', 'allow', input('up'), true, 'allowed'],
    ['one that does not', 'allow', input('salary'), false, 'denied'],
    ['one that is undefined', 'undecided', input('up'), false, 'undefined'],
    ['one that there is not', 'nothing/here', input('up'), false, 'undefined'],
    ['one that is a text', 'words', input('up'), false, 'denied'],
  ])('%s', async ([, rule, given, want, outcome]) => {
    expect(await ask(`${data}/${rule}`, given)).toEqual([want, outcome]);
  });

  test('a rule that takes too long', async () => {
    expect(await ask(`${data}/slow`, input('up'), 200)).toEqual([false, 'timeout']);
  });

  test('one that has been stopped', async () => {
    await program.close();
    expect(await ask(`${data}/allow`, input('up'))).toEqual([false, 'error']);
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
