import { dirname } from 'node:path';
import { Agent as HttpAgent, request } from 'undici';
import { ComityError } from '../base/errors.ts';

/** Asks the administration of an agent that runs on this machine, at its socket. Throws `unavailable` where none answers. */
export async function askAdmin(
  socketPath: string,
  method: 'GET' | 'POST',
  path: string,
  body?: unknown,
): Promise<unknown> {
  // A compaction of all that there is takes its time.
  const dispatcher = new HttpAgent({ connect: { socketPath }, headersTimeout: 0, bodyTimeout: 0 });
  try {
    const response = await request(`http://agent${path}`, {
      method,
      dispatcher,
      ...(body === undefined ? {} : { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    const envelope = (await response.body.json()) as Envelope;
    if (envelope.status === 'success') return envelope.data;
    throw new ComityError('execution', envelope.error ?? 'the agent gave no reason');
  } catch (error) {
    if (error instanceof ComityError) throw error;
    const code = (error as { code?: string }).code ?? '';
    const reason =
      code === 'ENOENT' || code === 'ECONNREFUSED'
        ? `no agent is running on the store at ${dirname(socketPath)}`
        : code === 'EACCES'
          ? `only the user that the agent runs as may ask it (${socketPath})`
          : `the agent does not answer at ${socketPath}: ${(error as Error).message}`;
    throw new ComityError('unavailable', reason, { cause: error });
  } finally {
    await dispatcher.close();
  }
}

interface Envelope {
  readonly status: string;
  readonly error?: string;
  readonly data?: unknown;
}
