import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A hub that serves policy bundles, whatever it was given. */
export interface BundleServer {
  readonly url: string;
  /** Serves a text from now on; resolves when an agent has had time to make up its mind about it: it has asked again. */
  offer(text: string): Promise<void>;
  close(): Promise<void>;
}

/** Listens on the loopback interface. */
export async function startBundleServer(): Promise<BundleServer> {
  let text: string | undefined;
  let edition = 0;
  let waiting: { readonly edition: number; resolve(): void } | undefined;
  const served = new Set<number>();
  const server = createServer((request, response) => {
    const etag = `"${edition}"`;
    if (served.has(edition) && waiting?.edition === edition) waiting.resolve();
    if (text === undefined) return void response.writeHead(404).end();
    served.add(edition);
    if (request.headers['if-none-match'] === etag) return void response.writeHead(304, { etag }).end();
    response.writeHead(200, { etag }).end(text);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async offer(next) {
      text = next;
      edition++;
      await new Promise<void>((resolve) => {
        waiting = { edition, resolve };
      });
      waiting = undefined;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
