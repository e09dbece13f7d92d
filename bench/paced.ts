import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import { Refusal } from './refusal.ts';
import type { ScrapeBatches } from './remote-write-batches.ts';

/** As many as a sender has shards on a busy day. Each sends its part of a scrape, in order, one request after the other. */
const LANES = 8;

/**
 * Sends the bodies at a fixed rate, whether answers come or not. Answers the ms that each took from when it was due, so that
 * a server that stands still is charged for what waits meanwhile, too. Throws a `Refusal` at the first answer that is not 2xx.
 */
export async function sendAtRate(
  url: string,
  headers: Readonly<Record<string, string>>,
  scrapes: readonly ScrapeBatches[],
  perSecond: number,
): Promise<number[]> {
  const { origin, pathname: path } = new URL(url);
  const pool = new Pool(origin, { connections: LANES });
  const tookMs: number[] = [];
  const post = async (body: Buffer, dueMs: number): Promise<void> => {
    const answer = await pool.request({ method: 'POST', path, headers, body });
    const text = await answer.body.text();
    tookMs.push(performance.now() - dueMs);
    if (answer.statusCode < 200 || answer.statusCode > 299) throw new Refusal(url, answer.statusCode, text);
  };
  const lanes = Array.from({ length: LANES }, () => Promise.resolve());
  const startMs = performance.now();
  let sent = 0;
  for (const { bodies } of scrapes) {
    for (const [place, body] of bodies.entries()) {
      const dueMs = startMs + (sent++ / perSecond) * 1_000;
      const waitMs = dueMs - performance.now();
      if (waitMs > 0) await sleep(waitMs);
      const lane = place % LANES;
      const before = lanes[lane]!;
      lanes[lane] = before.then(() => post(body, dueMs));
      // Seen at the end, with the others.
      lanes[lane].catch(() => undefined);
    }
  }
  try {
    await Promise.all(lanes);
    return tookMs;
  } finally {
    await pool.close();
  }
}
