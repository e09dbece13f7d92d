/*
 * `node --import …/plant-fault.ts?NAME program.ts`: plants a fault in the source of the program, in each of its threads, as it
 * is loaded there.
 */
import { plantEdits } from '../../src/federationtest/plant-edits.ts';
import { FAULTS, type FaultName } from './faults.ts';

const name = new URL(import.meta.url).search.slice(1) as FaultName;
plantEdits(name, FAULTS[name].edits);
