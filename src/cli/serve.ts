import { pino, type Logger } from 'pino';

/** Lines that could not be written yet are kept up to here; the rest is dropped. */
const LOG_BYTES_WAITING = 64 * 1024;

interface Program {
  /** Resolves when it cannot go on by itself. */
  readonly failed?: Promise<Error>;
  close(): Promise<void>;
}

/**
 * Runs a program until it is told to end: starts it, then closes it on SIGINT, SIGTERM or SIGHUP. With
 * `COMITY_EXIT_WITH_PARENT=1` the end of standard input counts as well, so that no child outlives a parent that was killed.
 * A program that has `failed` is closed as well, and its error thrown. Logs are JSON lines on standard error.
 */
export async function serve(start: (log: Logger) => Promise<Program>): Promise<void> {
  const destination = pino.destination({ dest: 2, sync: true, maxLength: LOG_BYTES_WAITING });
  // A disk that has no room for the log is no reason to stop taking telemetry.
  destination.on('error', () => {});
  const log = pino({ level: process.env['COMITY_LOG_LEVEL'] ?? 'info' }, destination);
  // Heard from the start on, so that a signal while starting ends the program just as cleanly.
  const told = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => resolve());
    if (process.env['COMITY_EXIT_WITH_PARENT'] === '1') {
      process.stdin.once('end', resolve).once('close', resolve).once('error', resolve).resume();
    }
  });
  try {
    const program = await start(log);
    const failure = await Promise.race([told, program.failed ?? told]);
    await program.close();
    if (failure !== undefined) throw failure;
  } finally {
    // Standard input would keep the process alive when it did not end it.
    process.stdin.destroy();
  }
}
