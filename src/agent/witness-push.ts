import type { Logger } from 'pino';
import { fetch } from 'undici';
import { ComityError, messageOf } from '../base/errors.ts';
import { verifierOf, type NoteVerifier } from '../base/note-key.ts';
import { openCheckpoint, readSignatureLine, signatureLine } from '../ledger/checkpoint.ts';
import type { Ledger } from '../ledger/ledger.ts';
import { cosignedAt, SIZE_MEDIA_TYPE, writeAddCheckpoint } from '../ledger/witness.ts';

/** Who is to see that the ledger only grows. */
export interface WitnessConfig {
  /** The prefix of its API: checkpoints go to `URL/add-checkpoint`. */
  readonly url: string;
  /** The vkey of its cosignatures. */
  readonly key: string;
}

interface PushOptions {
  readonly log: Logger;
  readonly onPush: (witness: string, outcome: 'cosigned' | 'failed') => void;
  /** How long a ledger grows until its checkpoint is sent. */
  readonly everyMs?: number | undefined;
}

/** Witnesses see most of a day's answers within a minute, and one request stands for all of it. */
const EVERY_MS = 60_000;
const TIMEOUT_MS = 10_000;

/** A witness answers with a few lines. */
const ANSWER_CHARS_MAX = 16 * 1024;

/** A witness that knows another size says so once; from then on the log knows it too. */
const ATTEMPTS = 3;

/**
 * Sends the checkpoint to every witness a while after it has grown, and keeps the cosignatures that come back
 * (https://c2sp.org/tlog-witness). A witness that cannot be reached or refuses is asked again with the next one; answers
 * leave without it.
 */
export function pushToWitnesses(
  ledger: Ledger,
  witnesses: readonly WitnessConfig[],
  { log, onPush, everyMs = EVERY_MS }: PushOptions,
): { close(): Promise<void> } {
  const known = witnesses.map(({ url, key }) => {
    const verifier = verifierOf(key);
    if (verifier.type !== 'cosignature') {
      throw new ComityError('bad_config', `the key ${key} of the witness ${url} is not one of cosignatures`);
    }
    // Until it says otherwise the witness knows nothing of this log.
    return { url: `${url.replace(/\/+$/, '')}/add-checkpoint`, verifier, seen: 0, cosigned: 0 };
  });
  const stop = new AbortController();
  let under = Promise.resolve();

  async function pushAll(): Promise<void> {
    await Promise.all(
      known.map(async (witness) => {
        if (stop.signal.aborted || witness.cosigned === ledger.head().size) return;
        try {
          await push(ledger, witness, stop.signal);
          onPush(witness.verifier.name, 'cosigned');
        } catch (error) {
          if (stop.signal.aborted) return;
          onPush(witness.verifier.name, 'failed');
          log.warn({ witness: witness.verifier.name, reason: messageOf(error) }, 'a witness has not cosigned');
        }
      }),
    );
  }

  const timer = known.length === 0 ? undefined : setInterval(() => void (under = under.then(pushAll)), everyMs);
  timer?.unref();
  return {
    async close() {
      clearInterval(timer);
      stop.abort();
      await under;
    },
  };
}

interface Witness {
  readonly url: string;
  readonly verifier: NoteVerifier;
  /** The size that it knows. */
  seen: number;
  /** The largest size of which its cosignature is kept. */
  cosigned: number;
}

async function push(ledger: Ledger, witness: Witness, stop: AbortSignal): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (witness.seen > ledger.head().size) {
      throw new ComityError(
        'unavailable',
        `it has seen ${witness.seen} leaves of this log, which has ${ledger.head().size}: was the ledger restored from an old backup?`,
      );
    }
    const chain = await ledger.consistency(witness.seen === 0 ? [] : [witness.seen]);
    const { checkpoint } = chain;
    const { body, size } = openCheckpoint(checkpoint, verifierOf(ledger.vkey));
    const proof = chain.proofs[0]?.proof ?? [];
    const response = await fetch(witness.url, {
      method: 'POST',
      body: writeAddCheckpoint({ oldSize: witness.seen, proof, checkpoint }),
      signal: AbortSignal.any([stop, AbortSignal.timeout(TIMEOUT_MS)]),
      redirect: 'error',
    });
    const text = await boundedText(response);
    if (response.status === 409 && isSizeOf(response.headers.get('content-type'), text)) {
      witness.seen = Number(text.trim());
      continue;
    }
    if (response.status !== 200) throw new ComityError('unavailable', `it answered with status ${response.status}`);
    const line = cosignature(text, body, witness.verifier);
    await ledger.addCosignature(size, line);
    witness.seen = size;
    witness.cosigned = size;
    return;
  }
  throw new ComityError('unavailable', `it named another size ${ATTEMPTS} times`);
}

function isSizeOf(mediaType: string | null, text: string): boolean {
  return mediaType?.split(';')[0]?.trim() === SIZE_MEDIA_TYPE && /^(0|[1-9][0-9]{0,14})\n$/.test(text);
}

/** The witness's own line. Lines of keys that nobody named are not kept, and one that does not fit is an error. */
function cosignature(text: string, body: string, verifier: NoteVerifier): string {
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const signature = readSignatureLine(line);
    if (signature.name !== verifier.name || signature.id !== verifier.id) continue;
    if (cosignedAt(body, signature, verifier) === undefined) {
      throw new ComityError('bad_data', 'its signature does not fit');
    }
    return signatureLine(signature, signature.bytes);
  }
  throw new ComityError('bad_data', `it has not signed with ${verifier.vkey}`);
}

async function boundedText(response: Awaited<ReturnType<typeof fetch>>): Promise<string> {
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    const bytes = Buffer.from(part as Uint8Array);
    length += bytes.length;
    if (length > ANSWER_CHARS_MAX) throw new ComityError('bad_data', 'its answer is too long');
    parts.push(bytes);
  }
  return Buffer.concat(parts).toString('utf8');
}
