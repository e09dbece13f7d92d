import { readFileSync } from 'node:fs';
import { Pool } from 'undici';

/** What a server spent on a load. */
export interface Spent {
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  /** Resident memory at the end. */
  readonly residentBytes: number;
}

export interface Load {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bodies: readonly Buffer[];
}

/** Requests under way at once, as many as a few sender shards have. They are sent in order. */
const CONNECTIONS = 4;

/** Ticks of a second in which Linux counts a process's time (sysconf(_SC_CLK_TCK)); 100 on every common platform. */
const TICKS_PER_SECOND = 100;

/** Delivers every body and says what the process spent meanwhile. Throws at the first answer that is not 2xx. */
export async function spend(pid: number, load: Load): Promise<Spent> {
  const { origin, pathname } = new URL(load.url);
  const pool = new Pool(origin, { connections: CONNECTIONS });
  const cpuBefore = cpuSeconds(pid);
  const startedMs = performance.now();
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let i = next++; i < load.bodies.length; i = next++) {
      const { statusCode, body } = await pool.request({
        method: 'POST',
        path: pathname,
        headers: load.headers,
        body: load.bodies[i]!,
      });
      const text = await body.text();
      if (statusCode < 200 || statusCode > 299) {
        throw new Error(`${load.url}: batch ${i} was answered ${statusCode}: ${text.slice(0, 400)}`);
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: CONNECTIONS }, worker));
    const wallSeconds = (performance.now() - startedMs) / 1_000;
    return { cpuSeconds: cpuSeconds(pid) - cpuBefore, wallSeconds, residentBytes: residentBytes(pid) };
  } finally {
    await pool.close();
  }
}

/** User and system time of all threads of a process. */
function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  // The program's name, in parentheses, may hold anything; the fields count from behind it.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function residentBytes(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? NaN) * 1024;
}
