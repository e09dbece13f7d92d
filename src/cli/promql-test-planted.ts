/*
 * The command line with a fault planted in the sources that it loads. Started by `comity promql test --mutant` as a program
 * of its own, since only what is loaded later can be changed.
 */
import { MUTANTS, type MutantName } from '../federationtest/mutants.ts';
import { plantEdits } from '../federationtest/plant-edits.ts';

const name = process.env['COMITY_PROMQLTEST_PLANTED'] as MutantName;
const planted = plantEdits(name, MUTANTS[name].edits);
await import('./main.ts');
planted.assertLoaded();
