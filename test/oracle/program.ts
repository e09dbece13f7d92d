import { builtWithGo } from '../go-program.ts';
import { isExecutable, outputOf } from '../programs.ts';

/** The oldest version whose answers are ours too: 3.x has left-open ranges, and functions came up to 3.15. */
const OLDEST = { major: 3, minor: 15 };

const PROGRAM = {
  name: 'Prometheus 3.15',
  folder: import.meta.dirname,
  build: [
    // Service discovery is most of the program's size, and nothing is discovered.
    '-tags',
    'remove_all_sd',
    // What go.mod requires, as its `--version` shall say; a plain build leaves the number out.
    '-ldflags',
    '-s -w -X github.com/prometheus/common/version.Version=3.15.0',
    'github.com/prometheus/prometheus/cmd/prometheus',
  ],
  instead: 'without them name a Prometheus 3.15 in COMITY_ORACLE',
};

let found: Promise<string | undefined> | undefined;

/** The path of a fitting Prometheus, built first where only Go is at hand. Looked up once in a process. */
export function findProgram(): Promise<string | undefined> {
  found ??= lookUp();
  return found;
}

async function lookUp(): Promise<string | undefined> {
  const named = process.env['COMITY_ORACLE'];
  if (named !== undefined && named !== '') {
    if (await isExecutable(named)) return named;
    throw new Error(`COMITY_ORACLE names ${named}, which is no program that can be run`);
  }
  return isNewEnough(await outputOf('prometheus', '--version')) ? 'prometheus' : builtWithGo(PROGRAM);
}

/** Whether the text of `prometheus --version` names a version that serves as the reference. */
export function isNewEnough(text: string | undefined): boolean {
  const match = /^prometheus, version (\d+)\.(\d+)\./m.exec(text ?? '');
  if (match === null) return false;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return major > OLDEST.major || (major === OLDEST.major && minor >= OLDEST.minor);
}
