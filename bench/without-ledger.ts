/*
 * `node without-ledger.ts agent|hub …`: the command of that name without what the ledger adds. The agent records nothing and
 * the hub takes every answer as it comes.
 */
import { plantEdits } from '../src/federationtest/plant-edits.ts';

const RECEIPT = `{
    leaf: new Uint8Array(), index: 0, checkpoint: '', proof: [], key: '',
    requestSalt: new Uint8Array(16), answerSalt: new Uint8Array(16),
  }`;

const EDITS = {
  agent: [
    {
      file: 'src/agent/ledger.ts',
      find: 'const recorder = await openRecorder(ledger, { domain, agent, consumerKey, now });',
      replace: `void openRecorder; void consumerKey;
    const recorder = { record: async () => (${RECEIPT}), bytesToday: () => 0 };`,
    },
  ],
  hub: [
    {
      file: 'src/hub/ledgers/agent-ledger.ts',
      find: 'const opened = verified(sent, asked);',
      replace: 'void verified; void asked; const opened = { answer: sent.answer } as OpenedAnswer;',
    },
    {
      file: 'src/hub/ledgers/agent-ledger.ts',
      find: 'accept({ leaf, state, vkey }, status) {',
      replace: 'accept() {},\n    ignored({ leaf, state, vkey }, status) {',
    },
  ],
} as const;

const [command, ...args] = process.argv.slice(2);
if (command !== 'agent' && command !== 'hub') throw new Error('agent or hub');
const planted = plantEdits('without ledger', EDITS[command]);
const made =
  command === 'agent'
    ? (await import('../src/cli/agent.ts')).agentCommand()
    : (await import('../src/cli/hub.ts')).hubCommand();
planted.assertLoaded();
await made.parseAsync(args, { from: 'user' });
