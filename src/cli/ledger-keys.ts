import { readFileSync, statSync } from 'node:fs';
import { Option } from 'commander';
import { ComityError } from '../base/errors.ts';
import { verifierOf, type NoteVerifier } from '../base/note-key.ts';

/** `--keys`, of the commands that verify. */
export function keysOption(): Option {
  return new Option('-k, --keys <key...>', 'vkeys of the ledger and of its witnesses, or files with one a line');
}

/** The keys of `--keys`. Lines of files that are empty or begin with # are skipped. Throws `bad_config`. */
export function readKeys(given: readonly string[]): readonly NoteVerifier[] {
  return given.flatMap((one) => {
    if (statSync(one, { throwIfNoEntry: false })?.isFile() !== true) return [verifierOf(one)];
    return readFileSync(one, 'utf8')
      .split('\n')
      .map((line, i) => ({ line: line.trim(), at: `${one}:${i + 1}` }))
      .filter(({ line }) => line !== '' && !line.startsWith('#'))
      .map(({ line, at }) => {
        try {
          return verifierOf(line);
        } catch (error) {
          throw new ComityError('bad_config', `${at}: ${(error as Error).message}`, { cause: error });
        }
      });
  });
}

/** Says on a terminal how far it is; in files and pipes it would be noise. */
export function progress(what: string): (done: number, all: number) => void {
  if (!process.stderr.isTTY) return () => {};
  return (done, all) => {
    process.stderr.write(`\r${what} ${done} of ${all} leaves${done >= all ? '\n' : ''}`);
  };
}
