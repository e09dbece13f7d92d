import { fillUp } from './fill-up.ts';

// Fills the store at a path until it cannot be written, and says how many batches it took.
const { stored } = fillUp(process.argv[2]!);
process.stdout.write(`${stored}\n`);
