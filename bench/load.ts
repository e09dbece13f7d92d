import { Pool } from 'undici';
import { cpuSeconds, memoryOf } from './process-stats.ts';
import { Refusal } from './refusal.ts';

/** What a server spent on a load. */
export interface Spent {
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  /** Resident memory at the end. */
  readonly residentBytes: number;
}

export interface Load {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bodies: readonly Buffer[];
}

/** Delivers requests to one address. */
export interface Sender {
  /** Sends the bodies, a few at once, and waits for all answers. Throws a `Refusal` at the first that is not 2xx. */
  send(bodies: readonly Buffer[]): Promise<void>;
  close(): Promise<void>;
}

/** Requests under way at once, as many as a few sender shards have. They are sent in order. */
const CONNECTIONS = 4;

export function openSender(url: string, headers: Readonly<Record<string, string>>): Sender {
  const { origin, pathname } = new URL(url);
  const pool = new Pool(origin, { connections: CONNECTIONS });
  return {
    async send(bodies) {
      let next = 0;
      const worker = async (): Promise<void> => {
        for (let i = next++; i < bodies.length; i = next++) {
          const { statusCode, body } = await pool.request({
            method: 'POST',
            path: pathname,
            headers,
            body: bodies[i]!,
          });
          const text = await body.text();
          if (statusCode < 200 || statusCode > 299) throw new Refusal(url, statusCode, text);
        }
      };
      await Promise.all(Array.from({ length: CONNECTIONS }, worker));
    },
    close: () => pool.close(),
  };
}

/** Delivers every body and says what the process spent meanwhile. */
export async function spend(pid: number, load: Load): Promise<Spent> {
  const sender = openSender(load.url, load.headers);
  const cpuBefore = cpuSeconds(pid);
  const startedMs = performance.now();
  try {
    await sender.send(load.bodies);
    const wallSeconds = (performance.now() - startedMs) / 1_000;
    const { residentBytes } = memoryOf(pid);
    return { cpuSeconds: cpuSeconds(pid) - cpuBefore, wallSeconds, residentBytes };
  } finally {
    await sender.close();
  }
}
