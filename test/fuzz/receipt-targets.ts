import { ComityError } from '../../src/base/errors.ts';
import { verifierOf } from '../../src/base/note-key.ts';
import { addCheckpoint } from '../../src/hub/ledgers/add-checkpoint.ts';
import { openAgentLedger } from '../../src/hub/ledgers/agent-ledger.ts';
import { openWitness } from '../../src/hub/ledgers/witness.ts';
import { NO_EVENTS } from '../../src/hub/registry.ts';
import { writeAddCheckpoint } from '../../src/ledger/witness.ts';
import {
  decodeLedgerAnswer,
  decodeLedgerRequest,
  encodeLedgerAnswer,
  encodeLedgerRequest,
} from '../../src/plan/frames/ledger-codec.ts';
import {
  decodeStatusAnswer,
  decodeStatusRequest,
  encodeStatusAnswer,
  encodeStatusRequest,
} from '../../src/plan/frames/status-codec.ts';
import { playedLedger, type PlayedLedger } from '../hub/played-ledger.ts';
import { REQUEST_ID } from '../plan/beside.ts';
import { STATUS } from '../plan/random-frames.ts';
import type { FuzzTarget } from './target.ts';

const REQUEST = Buffer.from('what was asked');
const ANSWER = Buffer.from('what was answered');

/** What hubs and agents read of each other about ledgers. A hub believes of a changed receipt nothing but what was sent. */
export function receiptTargets(): FuzzTarget[] {
  const agent = grown(20);
  const hub = openAgentLedger({ domain: 'eu', url: '', ledgerKey: agent.vkey }, openWitness(), NO_EVENTS);
  const logs = [verifierOf(agent.vkey)];
  return [
    {
      name: 'released',
      valid: () => agent.release({ what: 'query', request: REQUEST, answer: ANSWER }),
      decode(input) {
        const { answer, leaf } = hub.open(input, { endpoint: 'query', request: REQUEST });
        if (Buffer.compare(answer, ANSWER) !== 0 || leaf.domain !== 'eu') throw new Error('it believed another answer');
      },
    },
    {
      name: 'ledger-request',
      valid: (random) => {
        const sizes = Array.from({ length: random.int(0, 32) }, () => random.int(1, 2 ** 40));
        return encodeLedgerRequest({ id: REQUEST_ID, sizes: [...new Set(sizes)].sort((a, b) => a - b) });
      },
      decode: (input) => void encodeLedgerRequest(decodeLedgerRequest(input)),
    },
    {
      name: 'ledger-answer',
      valid: (random) => agent.prove(encodeLedgerRequest({ id: REQUEST_ID, sizes: [1, random.int(2, 9), 10] })),
      decode: (input) => void encodeLedgerAnswer(decodeLedgerAnswer(input, { id: REQUEST_ID, sizes: [1, 5, 10] })),
    },
    {
      name: 'status-request',
      valid: () => encodeStatusRequest(REQUEST_ID),
      decode: (input) => void decodeStatusRequest(input),
    },
    {
      name: 'status-answer',
      valid: () => encodeStatusAnswer({ status: STATUS, id: REQUEST_ID }),
      decode: (input) => void encodeStatusAnswer(decodeStatusAnswer(input, { id: REQUEST_ID })),
    },
    {
      name: 'add-checkpoint',
      valid(random) {
        const oldSize = random.pick([0, 1, 7, 20]);
        const proof = agent.consistency(oldSize, 20);
        return Buffer.from(writeAddCheckpoint({ oldSize, proof, checkpoint: agent.checkpoint(20) }));
      },
      decode(input) {
        const witness = openWitness();
        const { status } = addCheckpoint(Buffer.from(input).toString(), { witness, logs, nowMs: 0 });
        const vouched = witness.latest(agent.vkey);
        witness.close();
        if ((status === 200) !== (vouched !== undefined)) throw new Error(`${status}, but it knows ${vouched?.size}`);
        if (vouched !== undefined && vouched.size !== 20) throw new Error('it vouched for another log');
        if (status !== 200 && status !== 409) throw new ComityError('bad_data', String(status));
      },
    },
  ];
}

function grown(entries: number): PlayedLedger {
  const agent = playedLedger('eu');
  for (let i = 0; i < entries; i++) agent.record({ what: 'query', request: REQUEST, answer: ANSWER });
  return agent;
}
