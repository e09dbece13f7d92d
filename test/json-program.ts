import { execFile } from 'node:child_process';

export interface JsonRun {
  readonly code: number | string | null | undefined;
  /** The JSON that it printed. */
  readonly summary: Readonly<Record<string, unknown>>;
  /** What it said on stderr. */
  readonly log: string;
}

/** Runs a program of the project that prints JSON on stdout, with `env` on top of the environment. */
export function runJson(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = {},
): Promise<JsonRun> {
  const options = { env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024 };
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...args], options, (error, stdout, stderr) => {
      const summary = stdout === '' ? {} : (JSON.parse(stdout) as JsonRun['summary']);
      resolve({ code: error === null ? 0 : error.code, summary, log: stderr });
    });
  });
}
