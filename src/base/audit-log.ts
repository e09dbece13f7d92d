import { closeSync, fstatSync, ftruncateSync, openSync, readSync, renameSync, rmSync, writeSync } from 'node:fs';
import { ComityError, messageOf } from './errors.ts';

/** Lines of JSON in a file that is only ever appended to. */
export interface AuditLog {
  /** Writes a line, all of it or nothing. Throws `unavailable` where that cannot be done. */
  write(entry: object): void;
  close(): void;
}

/** The bytes are spread over so many files, so that the oldest part goes and not all at once. */
const FILES = 8;

/** The size below which a file could not hold one line of the longest. */
export const AUDIT_BYTES_MIN = 4 * 1024 * 1024;

/**
 * Opens the log at `path`, made when missing, for the process's own user alone. With its older parts, `path.1` (the latest of
 * them) and so on, it takes `bytes` at most: then the oldest part is removed. Lines are with the operating system when
 * `write` returns.
 */
export function openAuditLog(path: string, bytes: number): AuditLog {
  const fileBytes = Math.floor(bytes / FILES);
  let file = openPart(path);

  function rotate(): void {
    closeSync(file.fd);
    rmSync(partPath(path, FILES - 1), { force: true });
    for (let part = FILES - 2; part >= 0; part--) moveIfThere(partPath(path, part), partPath(path, part + 1));
    file = openPart(path);
  }

  return {
    write(entry) {
      const line = Buffer.from(`${JSON.stringify(entry)}\n`);
      try {
        if (file.size > 0 && file.size + line.length > fileBytes) rotate();
        append(file, line);
      } catch (error) {
        throw new ComityError('unavailable', `the audit log cannot be written: ${messageOf(error)}`, { cause: error });
      }
    },
    close: () => closeSync(file.fd),
  };
}

interface Part {
  readonly fd: number;
  size: number;
}

const NEWLINE = 0x0a;

/** A line that a loss of power has torn is ended, so that the next one is whole. */
function openPart(path: string): Part {
  const fd = openSync(path, 'a+', 0o600);
  const part = { fd, size: fstatSync(fd).size };
  const last = Buffer.alloc(1);
  if (part.size > 0) readSync(fd, last, 0, 1, part.size - 1);
  if (part.size > 0 && last[0] !== NEWLINE) append(part, Buffer.of(NEWLINE));
  return part;
}

function append(part: Part, line: Buffer): void {
  let written = 0;
  try {
    while (written < line.length) written += writeSync(part.fd, line, written);
  } catch (error) {
    // Half a line of a full disk would spoil the next one.
    if (written > 0) ftruncateSync(part.fd, part.size);
    throw error;
  }
  part.size += line.length;
}

function partPath(path: string, part: number): string {
  return part === 0 ? path : `${path}.${part}`;
}

function moveIfThere(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
