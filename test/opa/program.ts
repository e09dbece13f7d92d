import { builtWithGo } from '../go-program.ts';
import { isExecutable, outputOf } from '../programs.ts';

const PROGRAM = {
  name: 'Open Policy Agent',
  folder: import.meta.dirname,
  build: ['-ldflags', '-s -w', 'github.com/open-policy-agent/opa'],
  instead: 'without them name an opa in COMITY_OPA',
};

let found: Promise<string | undefined> | undefined;

/**
 * The path of an Open Policy Agent: `COMITY_OPA`, else one on the PATH, else one built with Go (once, about a minute).
 * Undefined where there is none, so that tests can say *skipped*.
 */
export function findOpa(): Promise<string | undefined> {
  found ??= lookUp();
  return found;
}

async function lookUp(): Promise<string | undefined> {
  const named = process.env['COMITY_OPA'];
  if (named !== undefined && named !== '') {
    if (await isExecutable(named)) return named;
    throw new Error(`COMITY_OPA names ${named}, which is no program that can be run`);
  }
  return (await outputOf('opa', 'version')) === undefined ? builtWithGo(PROGRAM) : 'opa';
}
