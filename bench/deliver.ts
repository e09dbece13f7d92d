import type { Dataset } from './dataset.ts';
import { openSender } from './load.ts';
import type { Peer, StartPeer } from './peer.ts';
import { Refusal } from './refusal.ts';
import { REMOTE_WRITE_HEADERS, REMOTE_WRITE_PATH, remoteWriteScrapes } from './remote-write-batches.ts';

export interface Delivered {
  /** In the scrapes that were sent; each server that did not refuse has as many. */
  readonly samples: number;
  /** Why, by the name of the server. It was sent nothing more. */
  readonly refused: ReadonlyMap<string, string>;
}

/** A line of progress comes after each such part of the scrapes. */
const PROGRESS_PARTS = 10;

/** Sends the next scrapes of the data to every server, scrape by scrape and as fast as it takes them. */
export async function deliver(
  peers: readonly Peer[],
  data: Dataset,
  scrapes: number,
  progress: (line: string) => void,
): Promise<Delivered> {
  const senders = peers.map(({ name, url }) => ({
    name,
    sender: openSender(url + REMOTE_WRITE_PATH, REMOTE_WRITE_HEADERS),
  }));
  const refused = new Map<string, string>();
  let samples = 0;
  let sent = 0;
  let shown = 0;
  try {
    for (const scrape of remoteWriteScrapes(data, scrapes)) {
      for (const { name, sender } of senders) {
        if (refused.has(name)) continue;
        await sender.send(scrape.bodies).catch((error: unknown) => {
          if (!(error instanceof Refusal)) throw error;
          refused.set(name, error.message);
        });
      }
      samples += scrape.samples;
      const part = Math.floor((++sent / scrapes) * PROGRESS_PARTS);
      if (part > shown) progress(`  sent ${sent} of ${scrapes} scrapes, ${samples.toLocaleString('en-US')} samples`);
      shown = part;
    }
    return { samples, refused };
  } finally {
    await Promise.all(senders.map(({ sender }) => sender.close()));
  }
}

/** The same where every server must take everything. Answers how many samples that were. */
export async function deliverAll(...args: Parameters<typeof deliver>): Promise<number> {
  const { samples, refused } = await deliver(...args);
  for (const [name, why] of refused) throw new Error(`${name}: ${why}`);
  return samples;
}

/** A server by the name under which it is measured. */
export interface Started {
  readonly name: string;
  /** Undefined where its program is not at hand. */
  readonly peer: Peer | undefined;
}

/** Runs `work` on freshly started servers and ends them, whatever happens. */
export async function withPeers<T>(
  starts: Readonly<Record<string, StartPeer>>,
  work: (started: readonly Started[], peers: readonly Peer[]) => Promise<T>,
): Promise<T> {
  const started: Started[] = [];
  try {
    for (const [name, start] of Object.entries(starts)) started.push({ name, peer: await start() });
    return await work(
      started,
      started.flatMap(({ peer }) => peer ?? []),
    );
  } finally {
    for (const { peer } of started) await peer?.close();
  }
}
