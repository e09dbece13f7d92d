import { readFileSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

/** Resident memory of a process, all its threads together. */
export interface Memory {
  readonly residentBytes: number;
  /** The most that it was since the process began. */
  readonly peakBytes: number;
}

/** User and system time of all threads of a process, also of those that ended. Counted in hundredths of a second. */
export function cpuSeconds(pid: number): number {
  return parseCpuSeconds(readFileSync(`/proc/${pid}/stat`, 'utf8'));
}

export function memoryOf(pid: number): Memory {
  return parseMemory(readFileSync(`/proc/${pid}/status`, 'utf8'));
}

/** Ticks of a second in which Linux counts a process's time (sysconf(_SC_CLK_TCK)); 100 on every common platform. */
const TICKS_PER_SECOND = 100;

/** From the text of `/proc/PID/stat` (proc(5)). */
export function parseCpuSeconds(stat: string): number {
  // The program's name, in parentheses, may hold anything; the fields count from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** From the text of `/proc/PID/status` (proc(5)). */
export function parseMemory(status: string): Memory {
  const kib = (name: string): number => {
    const found = new RegExp(String.raw`^${name}:\s+(\d+) kB$`, 'm').exec(status)?.[1];
    if (found === undefined) throw new Error(`the process's status has no ${name}: has the process ended?`);
    return Number(found) * 1024;
  };
  return { residentBytes: kib('VmRSS'), peakBytes: kib('VmHWM') };
}

/** Bytes of all files under a folder, as long as they say they are; files that go meanwhile count nothing. */
export async function bytesUnder(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    bytes += await stat(join(entry.parentPath, entry.name)).then(
      ({ size }) => size,
      () => 0,
    );
  }
  return bytes;
}
