import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A border between a domain and whoever asks it: every byte that passes is counted, and none is changed. */
export interface BorderProxy {
  /** Of this side; what connects here is connected to the address behind. */
  readonly port: number;
  /** Bytes of TCP's streams, without its own headers: as compressed as they were sent. */
  bytes(): Passed;
  /** Ends all connections and takes no more until `up`, as when the machine behind is gone. */
  down(): Promise<void>;
  up(): Promise<void>;
  close(): Promise<void>;
}

export interface Passed {
  /** Towards the domain. */
  readonly in: number;
  /** Out of the domain. */
  readonly out: number;
}

/** Opens a border in front of a port of this machine. */
export async function openBorder(behind: number): Promise<BorderProxy> {
  const passed = { in: 0, out: 0 };
  const open = new Set<Socket>();
  const server = createServer({ noDelay: true }, (near) => {
    const far = connect({ port: behind, host: '127.0.0.1', noDelay: true });
    for (const [from, to, way] of [
      [near, far, 'in'],
      [far, near, 'out'],
    ] as const) {
      open.add(from);
      from.on('data', (chunk: Buffer) => (passed[way] += chunk.length));
      from.pipe(to);
      // Whatever ends one side ends the other one.
      from.once('error', () => to.destroy());
      from.once('close', () => {
        open.delete(from);
        to.destroy();
      });
    }
  });
  const port = await listen(server, 0);
  const down = async (): Promise<void> => {
    const closed = server.listening ? new Promise<unknown>((resolve) => server.close(resolve)) : undefined;
    for (const socket of open) socket.destroy();
    await closed;
  };
  return {
    port,
    bytes: () => ({ ...passed }),
    down,
    async up() {
      if (!server.listening) await listen(server, port);
    },
    close: down,
  };
}

/** What passed since `before`, over all the borders. */
export function passedSince(borders: readonly BorderProxy[], before: Passed = { in: 0, out: 0 }): Passed {
  const sum = { in: -before.in, out: -before.out };
  for (const border of borders) {
    const passed = border.bytes();
    sum.in += passed.in;
    sum.out += passed.out;
  }
  return sum;
}

async function listen(server: Server, port: number): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve();
    });
  });
  return (server.address() as AddressInfo).port;
}
