import { setTimeout as sleep } from 'node:timers/promises';
import type { Federation } from './federation.ts';
import { coversAll } from './hub-client.ts';
import type { DemoOptions } from './options.ts';
import { refusalOf } from './once.ts';
import type { RunFiles } from './files.ts';
import { openInBrowser, proofLines, proveDomain, type Proof } from './proof.ts';
import { REFUSED_QUERIES } from './queries.ts';
import { openScreen, readKeys } from './screen.ts';
import { takeSnapshot } from './snapshot.ts';
import type { Snapshot } from './snapshot.ts';
import { renderLine, renderTable } from './table.ts';
import { DOMAINS } from './topology.ts';

/** Each redraw asks six queries, and each answer brings a receipt of about a kilobyte. */
const REDRAW_MS = 5_000;

export interface LiveOptions {
  readonly files: RunFiles;
  readonly federation: Federation;
  readonly killing: DemoOptions['killing'];
  /** Ends the demo when aborted. */
  readonly signal: AbortSignal;
  /** Asks for the demo's end. */
  readonly quit: () => void;
  readonly report: (line: string) => void;
  /** The latest report that was kept off the screen. */
  readonly news: () => string | undefined;
}

/**
 * Shows the federation until the signal: a table redrawn in place where both ends are a terminal, one line a redraw
 * otherwise. Calls `onClose` at once with the way to give the terminal back, for whoever must end the process early.
 */
export async function showLive(options: LiveOptions, onClose: (close: () => void) => void): Promise<void> {
  const { files, federation, signal } = options;
  const hubUrl = files.hub.url;
  const screen = process.stdout.isTTY ? openScreen(process.stdout) : undefined;
  const keys = screen !== undefined && process.stdin.isTTY;
  if (screen !== undefined) onClose(screen.close);
  if (keys) {
    const turn = takeTurns(options);
    onClose(
      readKeys(process.stdin, (key) => {
        if (key === 'q' || key === 'ctrl-c') options.quit();
        if (key === 'k') turn();
        if (key === 'r') openReport();
      }),
    );
  }

  let snapshot: Snapshot = { rows: [], coverage: undefined, domains: [], errors: [] };
  let refused: { query: string; error: string } | undefined;
  let proof: Proof | undefined;
  const timers: NodeJS.Timeout[] = [];
  let seenComplete = false;
  while (!signal.aborted) {
    snapshot = await takeSnapshot(hubUrl).catch((error: unknown) => ({ ...snapshot, errors: [String(error)] }));
    const { coverage, rows } = snapshot;
    if (!seenComplete && coverage !== undefined && coversAll(coverage) && rows.length > 0) {
      seenComplete = true;
      options.report(`every domain answers ${Math.round(performance.now() / 100) / 10} s after the start`);
      timers.push(...scheduleKilling(options));
      const [first] = REFUSED_QUERIES;
      if (first !== undefined) refused = { query: first.query, error: await refusalOf(hubUrl, first.query) };
      proof = await proveDomain(hubUrl, files.agents[0]!);
      if (screen === undefined) proofLines(proof).forEach(options.report);
      if (refused !== undefined && screen === undefined) options.report(`${refused.query}\n  ${refused.error}`);
    }
    if (screen === undefined) {
      console.log(renderLine(snapshot));
    } else {
      const lines = renderTable(snapshot, {
        hubUrl,
        upSeconds: performance.now() / 1_000,
        domains: DOMAINS,
        agents: federation.agents.map((one) => ({ domain: one.domain, pid: one.pid(), command: one.command })),
        refused,
        proof,
        keys,
        colour: useColour(),
        news: options.news(),
      });
      screen.draw(lines);
    }
    await sleep(REDRAW_MS, undefined, { signal }).catch(() => undefined);
  }
  for (const timer of timers) clearTimeout(timer);

  /** Makes the report anew, with what has left since, and shows it in a browser. */
  function openReport(): void {
    proveDomain(hubUrl, files.agents[0]!)
      .then((latest) => {
        proof = latest;
        openInBrowser(latest.reportUrl);
        options.report(`opened ${latest.reportUrl}`);
      })
      .catch((error: unknown) => options.report(String(error)));
  }
}

/** Whether to colour what is written to standard output: https://no-color.org/. */
export function useColour(): boolean {
  return process.stdout.isTTY && (process.env['NO_COLOR'] ?? '') === '';
}

/** Each call restarts an agent that is down, or else kills the next one in turn. */
function takeTurns({ federation, report }: LiveOptions): () => void {
  let next = 0;
  return () => {
    const down = federation.agents.find((one) => one.pid() === undefined);
    if (down !== undefined) {
      down.restart().catch((error: unknown) => report(String(error)));
      return;
    }
    const agent = federation.agents[next++ % federation.agents.length];
    report(`kill -9 ${agent?.pid() ?? ''} (agent ${agent?.domain ?? ''})`);
    agent?.kill();
  };
}

/** The scripted counterpart of the key: kills one agent after a while, and restarts it after another. */
function scheduleKilling({ federation, killing, report, signal }: LiveOptions): NodeJS.Timeout[] {
  const agent = federation.agents.find((one) => one.domain === killing?.domain);
  if (killing === undefined || agent === undefined) return [];
  const { killAfterMs, restartAfterMs } = killing;
  const timers = [
    setTimeout(() => {
      report(`kill -9 ${agent.pid() ?? ''} (agent ${agent.domain}); to start it by hand: ${agent.command}`);
      agent.kill();
    }, killAfterMs),
  ];
  if (restartAfterMs !== undefined) {
    timers.push(
      setTimeout(() => {
        if (signal.aborted) return;
        report(`restarting agent ${agent.domain}`);
        agent.restart().catch((error: unknown) => report(String(error)));
      }, killAfterMs + restartAfterMs),
    );
  }
  return timers;
}
