import { ComityError } from '../../src/base/errors.ts';
import { randomFrom } from '../random.ts';
import { mutate } from '../mutate.ts';
import type { FuzzTarget } from './target.ts';

/** One case that a decoder did not stand. */
export interface Finding {
  readonly target: string;
  readonly index: number;
  readonly problem: string;
  readonly input: Uint8Array;
}

export interface Counts {
  taken: number;
  refused: number;
}

/** Of the cases, those that are left as they are: a decoder that takes nothing at all must not look sound. */
const VALID_SHARE = 0.1;

/** An input of at most some kilobytes that takes more of a processor's time than this is as good as a hang. */
const SLOW_MS = 1_000;

/** Growth of the process that one such input must not cause. */
const GROWTH_BYTES = 512 * 1024 * 1024;

/** Runs case `index` of a target, which depends on the seed and on nothing else. */
export function runCase(target: FuzzTarget, seed: number, index: number, counts: Counts): Finding | undefined {
  const random = randomFrom(seed).fork(index);
  const valid = target.valid(random);
  const isValid = random.chance(VALID_SHARE);
  const input = isValid ? valid : mutate(random, valid);
  const finding = (problem: string): Finding => ({ target: target.name, index, problem, input });
  const rssBefore = process.memoryUsage.rss();
  const before = process.threadCpuUsage();
  try {
    target.decode(input);
    counts.taken++;
  } catch (error) {
    if (!(error instanceof ComityError)) {
      return finding(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    if (error.code === 'internal') return finding(`an internal error: ${error.message}`);
    if (isValid && target.mayRefuseValid !== true) return finding(`a valid input is refused: ${error.message}`);
    counts.refused++;
  }
  const { user, system } = process.threadCpuUsage(before);
  const tookMs = (user + system) / 1_000;
  if (tookMs > SLOW_MS) return finding(`it took ${Math.round(tookMs)} ms`);
  const grown = process.memoryUsage.rss() - rssBefore;
  if (grown > GROWTH_BYTES) return finding(`it took ${Math.round(grown / 1024 / 1024)} MB`);
  return undefined;
}
