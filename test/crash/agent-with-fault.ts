/*
 * `node agent-with-fault.ts FAULT CONFIG`: the agent's own command with a fault planted in its source as it is loaded.
 */
import { plantEdits } from '../../src/federationtest/plant-edits.ts';
import { FAULTS, type FaultName } from './faults.ts';

const [name, config] = process.argv.slice(2) as [FaultName, string];
const planted = plantEdits(name, FAULTS[name].edits);
const { agentCommand } = await import('../../src/cli/agent.ts');
planted.assertLoaded();
await agentCommand().parseAsync(['--config', config], { from: 'user' });
