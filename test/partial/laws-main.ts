import { plantEdits } from '../../src/federationtest/plant-edits.ts';
import { MUTANTS, type MutantName } from './mutants.ts';

/** Looks for a case in which a law does not hold with the fault planted: `laws-main.ts MUTANT SEED CASES`. Exits 1 if one does. */
const [name, seed, cases] = process.argv.slice(2) as [MutantName, string, string];
const planted = plantEdits(name, MUTANTS[name].edits);
const { brokenLaw } = await import('./laws.ts');
planted.assertLoaded();
const broken = brokenLaw(MUTANTS[name].op, Number(seed), Number(cases));
console.log(broken ?? 'all laws hold');
process.exitCode = broken === undefined ? 0 : 1;
