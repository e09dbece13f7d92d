import { expect, it } from 'vitest';
import { LIST_NAMES, runList } from './faults/lists.ts';
import { FAULTS, runCase } from './faults/run.ts';
import { RECEIPT_FAULTS } from './faults/receipt-faults.ts';
import { TRANSPORT_FAULTS } from './faults/transport-faults.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

it(`a domain that answers wrongly is missing, and the others are answered for (seed ${SEED})`, async () => {
  for (let index = 0; index < FAULTS.length; index++) {
    const { fault, found } = await runCase(SEED, index);
    expect(found, `case ${index}: ${fault}`).toBeUndefined();
  }
}, 120_000);

it(`so are lists and verdicts (seed ${SEED})`, async () => {
  for (const [list, name] of LIST_NAMES.entries()) {
    for (const [index, fault] of [...TRANSPORT_FAULTS, ...RECEIPT_FAULTS].entries()) {
      // Each fault meets two or three of the lists, others with another seed.
      if ((index + list + SEED) % 3 !== 0) continue;
      expect(await runList(name, fault, SEED + index), `${name}: ${fault.name}`).toBeUndefined();
    }
  }
}, 120_000);
