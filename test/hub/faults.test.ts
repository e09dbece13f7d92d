import { expect, it } from 'vitest';
import { LIST_NAMES, runList } from './faults/lists.ts';
import { FAULTS, runCase } from './faults/run.ts';
import { TRANSPORT_FAULTS } from './faults/transport-faults.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

it(`a domain that answers wrongly is missing, and the others are answered for (seed ${SEED})`, async () => {
  for (let index = 0; index < FAULTS.length * 2; index++) {
    const { fault, found } = await runCase(SEED, index);
    expect(found, `case ${index}: ${fault}`).toBeUndefined();
  }
}, 120_000);

it(`so are lists and verdicts (seed ${SEED})`, async () => {
  for (const name of LIST_NAMES) {
    for (const [index, fault] of TRANSPORT_FAULTS.entries()) {
      expect(await runList(name, fault, SEED + index), `${name}: ${fault.name}`).toBeUndefined();
    }
  }
}, 120_000);
