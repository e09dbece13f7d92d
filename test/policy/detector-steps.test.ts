import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

interface Steps {
  readonly name: string;
  /** By what the steps grow when the text is twice as long, at the worst. */
  readonly growth: number;
  readonly stepsPerChar: number;
}

/** Where a square grows by four, and what is worse takes far more steps than there are characters. */
function isLinear({ growth, stepsPerChar }: Steps): boolean {
  return growth < 2.5 && stepsPerChar < 100;
}

test('detectors and forms of names take steps in proportion to their texts', { timeout: 60_000 }, () => {
  const script = join(import.meta.dirname, 'detector-steps.ts');
  const out = execFileSync(process.execPath, ['--allow-natives-syntax', script], { encoding: 'utf8' });
  const found = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Steps);
  expect(
    found.filter(isLinear).map(({ name }) => name),
    out,
  ).toEqual(['email', 'card', 'iban', 'ip', 'jwt', 'phone', 'word form', 'prefix form']);
  // The count notices what is not.
  expect(found.filter((one) => !isLinear(one)).map(({ name }) => name)).toEqual(['planted square', 'planted nest']);
});
