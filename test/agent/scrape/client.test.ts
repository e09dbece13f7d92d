import { execFileSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, test } from 'vitest';
import { bodyBudget, type BodyBudget } from '../../../src/agent/request-body.ts';
import { scrapeClient } from '../../../src/agent/scrape/client.ts';
import { LIMITS } from '../../../src/base/limits.ts';
import { jobsOf, startExporter, type Exporter } from './harness.ts';

const closers: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function exporting(answer: Exporter['answer']): Promise<Exporter> {
  const exporter = await startExporter(answer);
  closers.push(exporter.close);
  return exporter;
}

async function fetchOnce(
  url: string,
  fields = '',
  budget: BodyBudget = bodyBudget(LIMITS.bodyBytesAtOnce),
  path = '/etc/agent.yaml',
): Promise<{ body: string; contentType: string | undefined }> {
  const [job] = jobsOf(`scrape_configs: [{job_name: x, scrape_interval: 2s, ${fields}}]`, path);
  const client = scrapeClient(job!, budget);
  closers.push(client.close);
  const { body, contentType, release } = await client.fetch(url, job!.timeoutMs, new AbortController().signal);
  expect(budget.heldBytes).toBeGreaterThanOrEqual(body.length);
  release();
  return { body: Buffer.from(body).toString(), contentType };
}

test('a gzip is unpacked', async () => {
  const { address } = await exporting((_, response) => {
    response.setHeader('content-encoding', 'gzip').setHeader('content-type', 'text/plain').end(gzipSync('a 1\n'));
  });
  expect(await fetchOnce(`http://${address}/`)).toEqual({ body: 'a 1\n', contentType: 'text/plain' });
});

test('enable_compression: false asks for no gzip', async () => {
  const exporter = await exporting('a 1\n');
  await fetchOnce(`http://${exporter.address}/`, 'enable_compression: false');
  expect(exporter.requests[0]!.headers['accept-encoding']).toBe('identity');
});

test.each([
  ['basic_auth: {username: u, password: p:w}', 'Basic dTpwOnc='],
  ['basic_auth: {username: u, password_file: FILE}', 'Basic dTpmcm9tIGEgZmlsZQ=='],
  ['authorization: {credentials: secret}', 'Bearer secret'],
  ['authorization: {type: Token, credentials_file: FILE}', 'Token from a file'],
  ['bearer_token: secret', 'Bearer secret'],
])('%s', async (fields, want) => {
  const folder = await mkdtemp(join(tmpdir(), 'comity-client-'));
  closers.push(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, 'FILE'), ' from a file\n');
  const exporter = await exporting('a 1\n');
  await fetchOnce(`http://${exporter.address}/`, fields, undefined, join(folder, 'agent.yaml'));
  expect(exporter.requests[0]!.headers.authorization).toBe(want);
});

test('a secret in a file may change, and its absence fails the scrape', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'comity-client-'));
  closers.push(() => rm(folder, { recursive: true }));
  const exporter = await exporting('a 1\n');
  const [job] = jobsOf('scrape_configs: [{job_name: x, bearer_token_file: token}]', join(folder, 'agent.yaml'));
  const client = scrapeClient(job!, bodyBudget(LIMITS.bodyBytesAtOnce));
  closers.push(client.close);
  const run = () => client.fetch(`http://${exporter.address}/`, 2_000, new AbortController().signal);
  await expect(run()).rejects.toThrow(`cannot read ${join(folder, 'token')}`);
  for (const token of ['one', 'two']) {
    await writeFile(join(folder, 'token'), token);
    await run();
    expect(exporter.requests.at(-1)!.headers.authorization).toBe(`Bearer ${token}`);
  }
});

describe('redirects', () => {
  test('are followed, and secrets stay with the target', async () => {
    const other = await exporting('a 1\n');
    const first = await exporting((request, response) => {
      const location = request.url === '/' ? '/next' : `http://${other.address}/end`;
      response.writeHead(302, { location }).end('elsewhere');
    });
    const fields = 'bearer_token: secret, http_headers: {X-Key: {secrets: [hidden]}}';
    expect(await fetchOnce(`http://${first.address}/`, fields)).toMatchObject({ body: 'a 1\n' });
    expect(first.requests.map(({ url, headers }) => [url, headers.authorization, headers['x-key']])).toEqual([
      ['/', 'Bearer secret', 'hidden'],
      ['/next', 'Bearer secret', 'hidden'],
    ]);
    expect(other.requests.map(({ url, headers }) => [url, headers.authorization, headers['x-key']])).toEqual([
      ['/end', undefined, undefined],
    ]);
  });

  test('end somewhere', async () => {
    const exporter = await exporting((_, response) => void response.writeHead(301, { location: '/' }).end());
    await expect(fetchOnce(`http://${exporter.address}/`)).rejects.toThrow('stopped after 10 redirects');
    expect(exporter.requests).toHaveLength(11);
  });

  test('follow_redirects: false', async () => {
    const exporter = await exporting((_, response) => void response.writeHead(301, { location: '/' }).end());
    await expect(fetchOnce(`http://${exporter.address}/`, 'follow_redirects: false')).rejects.toThrow('status 301');
  });

  test('lead to no other protocol', async () => {
    const exporter = await exporting(
      (_, response) => void response.writeHead(301, { location: 'file:///etc/x' }).end(),
    );
    await expect(fetchOnce(`http://${exporter.address}/`)).rejects.toThrow('file: is neither http nor https');
  });
});

test.each<[string, Exporter['answer'], string]>([
  [
    'another status',
    (_, response) => void response.writeHead(404).end('x'),
    'the target answered HTTP status 404 Not Found',
  ],
  [
    'zstd',
    (_, response) => void response.setHeader('content-encoding', 'zstd').end('x'),
    'compressed its answer with zstd',
  ],
  ['no gzip', (_, response) => void response.setHeader('content-encoding', 'gzip').end('x'), 'is no gzip'],
  ['a cut connection', (request) => request.socket.destroy(), 'other side closed'],
  ['silence', () => undefined, 'no complete answer within 2 s'],
  ['a body without end', (_, response) => void response.write('a 1\n'), 'no complete answer within 2 s'],
  ['too much', 'x'.repeat(2_000), 'has 1000 bytes or more (body_size_limit)'],
])('an answer that is none: %s', async (_, answer, message) => {
  const { address } = await exporting(answer);
  const budget = bodyBudget(LIMITS.bodyBytesAtOnce);
  await expect(fetchOnce(`http://${address}/`, 'body_size_limit: 1000B', budget)).rejects.toThrow(message);
  expect(budget.heldBytes).toBe(0);
});

test.each([
  ['http://127.0.0.1:1/', 'ECONNREFUSED'],
  ['http://no-such-host.invalid/', 'ENOTFOUND|EAI_AGAIN'],
  ['http://a b/', 'is no URL'],
  ['ftp://127.0.0.1/', 'ftp: is neither http nor https'],
  ['http://127.0.0.1:99999/', 'is no URL'],
])('%s', async (url, message) => {
  await expect(fetchOnce(url)).rejects.toThrow(new RegExp(message));
});

test('bodies of all targets together are bounded', async () => {
  const { address } = await exporting('a 1\n');
  const budget = bodyBudget(100);
  budget.take(100);
  await expect(fetchOnce(`http://${address}/`, '', budget)).rejects.toThrow('100 bytes of bodies are held');
  expect(budget.heldBytes).toBe(100);
});

test('a connection that the target closes between scrapes is no failure', async () => {
  let served = 0;
  const exporter = await exporting((request, response) => {
    // Each connection serves one request, without saying so, and dies at the second.
    if (connections.has(request.socket)) return void request.socket.destroy();
    connections.add(request.socket);
    served++;
    response.setHeader('content-type', 'text/plain').end('a 1\n');
  });
  const connections = new Set<unknown>();
  const [job] = jobsOf('scrape_configs: [{job_name: x}]');
  const client = scrapeClient(job!, bodyBudget(LIMITS.bodyBytesAtOnce));
  closers.push(client.close);
  for (let i = 0; i < 3; i++)
    (await client.fetch(`http://${exporter.address}/`, 2_000, new AbortController().signal)).release();
  expect(served).toBe(3);
});

const OPENSSL = 'openssl';

const hasOpenssl = ((): boolean => {
  try {
    execFileSync(OPENSSL, ['version']);
    return true;
  } catch {
    return false;
  }
})();

describe.skipIf(!hasOpenssl)('TLS', () => {
  async function certificates(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'comity-tls-'));
    closers.push(() => rm(folder, { recursive: true }));
    const run = (...args: string[]): unknown => execFileSync(OPENSSL, args, { cwd: folder, stdio: 'pipe' });
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    run('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '2', '-subj', '/CN=test ca');
    for (const name of ['target.example', 'client']) {
      run('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`);
      await writeFile(join(folder, `${name}.ext`), `subjectAltName=DNS:${name}\n`);
      const ca = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'];
      run('x509', '-req', '-in', `${name}.csr`, ...ca, '-out', `${name}.pem`, '-days', '2', '-extfile', `${name}.ext`);
    }
    return folder;
  }

  async function serve(folder: string): Promise<string> {
    const file = (name: string) => readFile(join(folder, name));
    const server: Server = createServer(
      {
        key: await file('target.example.key'),
        cert: await file('target.example.pem'),
        ca: await file('ca.pem'),
        requestCert: true,
        rejectUnauthorized: false,
      },
      (request, response) => {
        const peer = (request.socket as TLSSocket).getPeerCertificate();
        response.setHeader('content-type', 'text/plain').end(`# ${String(peer.subject?.CN)}\n`);
      },
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    closers.push(() => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    });
    return `https://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  test('certificates are checked, and shown where configured', async () => {
    const folder = await certificates();
    const url = await serve(folder);
    const path = join(folder, 'agent.yaml');
    const run = (tls: string) => fetchOnce(url, `tls_config: {${tls}}`, undefined, path);
    await expect(run('')).rejects.toThrow(/certificate/);
    await expect(run('ca_file: ca.pem')).rejects.toThrow(/does not match certificate's altnames|altnames/);
    expect(await run('ca_file: ca.pem, server_name: target.example')).toMatchObject({ body: '# undefined\n' });
    expect(await run('insecure_skip_verify: true')).toMatchObject({ body: '# undefined\n' });
    expect(
      await run('ca_file: ca.pem, server_name: target.example, cert_file: client.pem, key_file: client.key'),
    ).toMatchObject({ body: '# client\n' });
    await expect(run('ca_file: none.pem')).rejects.toThrow(`cannot read ${join(folder, 'none.pem')}`);
  });
});
