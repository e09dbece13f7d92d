import type { FastifyInstance } from 'fastify';
import type { NoteVerifier } from '../../base/note-key.ts';
import { LIMITS } from '../../base/limits.ts';
import { addCheckpoint } from '../ledgers/add-checkpoint.ts';
import type { Witness } from '../ledgers/witness.ts';

/** A checkpoint, and a proof of 63 lines. */
const BODY_BYTES_MAX = LIMITS.checkpointBytes + 4 * 1024;

/**
 * POST /federation/v1/witness/add-checkpoint: the hub as a witness (https://c2sp.org/tlog-witness) of the ledgers of its
 * domains. Nobody needs a token: what counts is the log's signature. GET …/witness/key: what its cosignatures are verified by.
 */
export function witnessApi(app: FastifyInstance, witness: Witness, logs: () => readonly NoteVerifier[]): void {
  app.get('/federation/v1/witness/key', (_request, reply) => reply.type('text/plain').send(`${witness.signer.vkey}\n`));
  void app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', { parseAs: 'string', bodyLimit: BODY_BYTES_MAX }, (_request, body, done) =>
      done(null, body),
    );
    scope.post<{ Body: string | undefined }>('/federation/v1/witness/add-checkpoint', (request, reply) => {
      const { status, type, body } = addCheckpoint(request.body ?? '', { witness, logs: logs(), nowMs: Date.now() });
      return reply.code(status).type(type).send(body);
    });
  });
}
