/**
 * The demo: a federation of three domains on this machine, with real services that send real OpenTelemetry, and one
 * hub. This file is a start list and a reversed stop list; nothing may outlive it.
 */
import { rmSync } from 'node:fs';
import { constants } from 'node:os';
import { startFederation } from './federation.ts';
import type { StartList } from './federation.ts';
import { PORTS_NEEDED, makeRunDir, writeRunFiles, type RunFiles } from './files.ts';
import { showLive, useColour } from './live.ts';
import { runLoad } from './load.ts';
import { answerOnce } from './once.ts';
import { readOptions } from './options.ts';
import { freePorts } from './processes.ts';
import { takeSnapshot } from './snapshot.ts';
import { renderTable } from './table.ts';
import { DOMAINS } from './topology.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

const options = readOptions(process.argv.slice(2));
const stopping = new AbortController();
const programs: StartList = [];
const terminalClosers: (() => void)[] = [];
let news: string | undefined;
const dir = makeRunDir(options.keep);

/** The last resort of every way out, a crash included: synchronous, and harmless after an orderly stop. */
process.on('exit', () => {
  closeTerminal();
  for (const program of programs.toReversed()) {
    if (program.ended() === undefined) program.process.kill('SIGKILL');
  }
  if (options.keep === undefined) rmSync(dir, { recursive: true, force: true });
});
for (const signal of SIGNALS) {
  process.on(signal, () => {
    // The second one is from somebody who does not want to wait.
    if (stopping.signal.aborted) process.exit(128 + constants.signals[signal]);
    // Ctrl-C is the ordinary end of the live table, and no failure.
    if (options.once || signal !== 'SIGINT') process.exitCode = 128 + constants.signals[signal];
    stopping.abort();
  });
}
// Whoever read the output has gone; there is nobody left to show anything to.
process.stdout.on('error', () => stopping.abort());
process.stderr.on('error', () => undefined);

try {
  await run();
} catch (error) {
  if (!stopping.signal.aborted) {
    process.exitCode = 1;
    closeTerminal();
    console.error(`demo: ${error instanceof Error ? error.message : String(error)}`);
  }
}
stopping.abort();
closeTerminal();
report('stopping');
await stopAll();
process.exit();

async function run(): Promise<void> {
  const files = writeRunFiles(dir, await freePorts(PORTS_NEEDED));
  report(`run directory ${dir}`);
  const federation = await untilStopped(startFederation(files, programs, report));
  report(`hub ${files.hub.url}`);
  void runLoad(federation.directory, DOMAINS, stopping.signal);
  const shown = options.once
    ? showOnce(files)
    : showLive(
        {
          files,
          federation,
          killing: options.killing,
          signal: stopping.signal,
          quit: () => stopping.abort(),
          report,
          news: () => news,
        },
        (close) => terminalClosers.push(close),
      );
  await untilStopped(Promise.race([shown, federation.broken]));
}

async function showOnce(files: RunFiles): Promise<void> {
  const hubUrl = files.hub.url;
  const document = await answerOnce(files, stopping.signal, report);
  if (options.json) {
    await write(`${JSON.stringify(document, undefined, 2)}\n`);
    return;
  }
  const lines = renderTable(await takeSnapshot(hubUrl), {
    hubUrl,
    upSeconds: performance.now() / 1_000,
    domains: DOMAINS,
    agents: [],
    refused: document.refused[0],
    proof: document.proofs[0],
    news: options.keep === undefined ? 'the report goes with the run directory; --keep DIR keeps both' : undefined,
    keys: false,
    colour: useColour(),
  });
  await write(`${lines.join('\n')}\n`);
}

/** The same promise, given up as soon as the demo is stopped. */
function untilStopped<T>(promise: Promise<T>): Promise<T> {
  const stopped = new Promise<never>((_resolve, reject) => {
    stopping.signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true });
  });
  return Promise.race([promise, stopped]);
}

/** Ends what was started, last first, and waits for each. */
async function stopAll(): Promise<void> {
  for (const program of programs.toReversed()) await program.stop();
}

function closeTerminal(): void {
  while (terminalClosers.length > 0) terminalClosers.pop()?.();
}

/** Progress goes to standard error, as standard output belongs to the answer; a live table shows it itself. */
function report(line: string): void {
  if (terminalClosers.length > 0) news = line;
  else console.error(`demo: ${line}`);
}

async function write(text: string): Promise<void> {
  await new Promise<void>((resolve) => process.stdout.write(text, () => resolve()));
}
