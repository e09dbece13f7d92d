import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { promisify } from 'node:util';

/** What a program writes to stdout and stderr, or undefined when there is none or it fails. */
export async function outputOf(program: string, argument: string): Promise<string | undefined> {
  try {
    const { stdout, stderr } = await promisify(execFile)(program, [argument]);
    return stdout + stderr;
  } catch {
    return undefined;
  }
}

export async function isExecutable(path: string): Promise<boolean> {
  return access(path, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/**
 * Runs `"$@"` until it ends or until stdin does, then removes the folder $DIR. The pipe at stdin ends with the process
 * that holds it, even when that is killed, so that no program outlives its test. (So does the one at stderr, and the
 * shell's own words there must not end it before the folder is gone.)
 */
export const UNTIL_STDIN_ENDS = `
exec 3<&0
"$@" </dev/null 3<&- &
program=$!
trap '' PIPE
{ cat <&3; kill -9 $program; } >/dev/null 2>&1 &
guard=$!
wait $program
status=$?
kill $guard 2>/dev/null
rm -rf "$DIR"
exit $status`;
