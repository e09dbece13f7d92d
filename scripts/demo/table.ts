import { proofLines, type Proof } from './proof.ts';
import { BY_SERVICE } from './queries.ts';
import type { Cell, Snapshot } from './snapshot.ts';

/** What the table shows beside the hub's own words. */
export interface TableContext {
  readonly hubUrl: string;
  readonly upSeconds: number;
  readonly domains: readonly { readonly name: string; readonly jurisdiction: string }[];
  /** Domain, process id (undefined while it is down) and start command of each agent. */
  readonly agents: readonly { readonly domain: string; readonly pid: number | undefined; readonly command: string }[];
  readonly refused: { readonly query: string; readonly error: string } | undefined;
  /** What one domain has proved of what left it. */
  readonly proof: Proof | undefined;
  /** The last thing that happened, undefined when there is nothing to say. */
  readonly news: string | undefined;
  /** Whether key presses reach the demo. */
  readonly keys: boolean;
  /** Whether to use ANSI colours. */
  readonly colour: boolean;
}

/** Widest line of the table, in characters. */
export const TABLE_COLUMNS = 100;

const SERVICE_WIDTH = 11;
const CELL_WIDTH = 21;
const HINT_WIDTH = 9;

/** The demo's screen as lines of at most 100 characters (colour codes not counted). */
export function renderTable(snapshot: Snapshot, context: TableContext): string[] {
  const paint = painter(context.colour);
  const lines = [headline(snapshot, context, paint), '', ...serviceLines(snapshot, context, paint), ''];
  lines.push(...domainLines(snapshot, context, paint), '', ...hintLines(context, paint));
  for (const error of snapshot.errors) lines.push(...wrap('hub says', error, 2).map((line) => paint('bad', line)));
  return lines;
}

/** One line for logs and pipes: `complete 18/18  checkout 12.1/s 3.2 % 412 ms  …`. */
export function renderLine(snapshot: Snapshot): string {
  const rows = snapshot.rows.map(({ service, overAll }) => {
    const cell = [`${rateText(overAll)}/s`, `${percentText(overAll)} %`, `${millisText(overAll)} ms`];
    return `${service} ${cell.join(' ')}`;
  });
  return [streamsText(snapshot), ...rows, ...snapshot.errors].join('  ');
}

/** Bytes as people read them: `41.3 kB`, `2.1 MB`. */
export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 999.95 && unit < units.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${unit === 0 ? String(value) : value.toFixed(1)} ${units[unit] ?? ''}`;
}

type Paint = (style: 'strong' | 'dim' | 'bad' | 'good', text: string) => string;

function painter(colour: boolean): Paint {
  const codes = { strong: 1, dim: 2, bad: 31, good: 32 };
  return (style, text) => (colour ? `\x1b[${codes[style]}m${text}\x1b[0m` : text);
}

function headline(snapshot: Snapshot, context: TableContext, paint: Paint): string {
  const title = `Comity demo: ${context.domains.length} domains, one hub, up ${Math.floor(context.upSeconds)} s`;
  const streams = streamsText(snapshot);
  const complete = snapshot.coverage?.complete === true;
  const gap = ' '.repeat(Math.max(2, TABLE_COLUMNS - title.length - streams.length));
  return `${paint('strong', title)}${gap}${paint(complete ? 'good' : 'bad', streams)}`;
}

function streamsText({ coverage }: Snapshot): string {
  if (coverage === undefined) return 'no answer yet';
  return `${coverage.complete ? 'complete' : 'PARTIAL'}: ${coverage.observed}/${coverage.expected} streams`;
}

function serviceLines(snapshot: Snapshot, context: TableContext, paint: Paint): string[] {
  const names = ['all domains', ...context.domains.map((one) => one.name)];
  const top = ' '.repeat(SERVICE_WIDTH) + names.map((name) => name.padStart(CELL_WIDTH)).join('');
  const titles = 'req/s'.padStart(8) + 'err %'.padStart(6) + 'p95 ms'.padStart(7);
  const lines = [
    paint('strong', top.trimEnd()),
    paint('dim', 'service'.padEnd(SERVICE_WIDTH) + titles.repeat(names.length)),
  ];
  for (const row of snapshot.rows) {
    const cells = [row.overAll, ...context.domains.map((one) => row.byDomain[one.name])];
    const service = row.service.slice(0, SERVICE_WIDTH).padEnd(SERVICE_WIDTH);
    lines.push((service + cells.map(cellText).join('')).trimEnd());
  }
  if (snapshot.rows.length === 0) lines.push('  waiting for the first two exports of the services …');
  return lines;
}

function cellText(cell: Cell | undefined): string {
  if (cell === undefined) return ' '.repeat(CELL_WIDTH);
  return rateText(cell).padStart(8) + percentText(cell).padStart(6) + millisText(cell).padStart(7);
}

function rateText(cell: Cell): string {
  return numberText(cell.requestsPerSecond, 1);
}

function percentText(cell: Cell): string {
  return numberText(cell.errorRatio === undefined ? undefined : cell.errorRatio * 100, 1);
}

function millisText(cell: Cell): string {
  return numberText(cell.p95Ms, 0);
}

function numberText(value: number | undefined, digits: number): string {
  return value === undefined || Number.isNaN(value) ? '-' : value.toFixed(digits);
}

function domainLines(snapshot: Snapshot, context: TableContext, paint: Paint): string[] {
  const lines = [
    paint('strong', domainLine(['domain', 'law', 'coverage', 'streams', 'crossed', 'raw held', 'share', 'agent'])),
  ];
  for (const { name, jurisdiction } of context.domains) {
    const covered = snapshot.coverage?.domains.find((one) => one.domain === name);
    const status = snapshot.domains.find((one) => one.domain === name);
    const agent = context.agents.find((one) => one.domain === name);
    const line = domainLine([
      name,
      jurisdiction,
      covered?.status ?? '-',
      covered === undefined ? '-' : `${covered.observed}/${covered.expected}`,
      status === undefined ? '-' : bytesText(status.bytesReceived),
      status === undefined ? '-' : bytesText(status.bytesRawHeld),
      status === undefined || status.bytesRawHeld === 0
        ? '-'
        : `${((100 * status.bytesReceived) / status.bytesRawHeld).toFixed(1)} %`,
      agent === undefined ? '' : agent.pid === undefined ? 'down' : `pid ${agent.pid}`,
    ]);
    lines.push(covered === undefined || covered.status === 'ok' ? line : paint('bad', line));
  }
  return lines;
}

function domainLine(parts: readonly [string, string, string, string, string, string, string, string]): string {
  const [name, law, coverage, streams, crossed, held, share, agent] = parts;
  return [
    name.padEnd(SERVICE_WIDTH),
    law.padEnd(5),
    coverage.padEnd(13),
    streams.padStart(8),
    crossed.padStart(12),
    held.padStart(12),
    share.padStart(10),
    `   ${agent}`,
  ]
    .join('')
    .trimEnd();
}

function hintLines(context: TableContext, paint: Paint): string[] {
  const { query } = BY_SERVICE.rate;
  const lines = [
    `${label('ask')}curl -sG ${context.hubUrl}/api/v1/query --data-urlencode \\`,
    `${' '.repeat(HINT_WIDTH)}  'query=${query}'`,
  ];
  const down = context.agents.find((one) => one.pid === undefined);
  const up = context.agents.find((one) => one.pid !== undefined);
  if (down !== undefined) {
    const heal = context.keys ? 'press k, or run  ' : 'run  ';
    lines.push(...wrap('heal', `${heal}${down.command}`, 2));
  } else if (up !== undefined) {
    lines.push(`${label('break')}kill -9 ${up.pid}   (the agent of ${up.domain}: coverage falls within seconds)`);
  }
  if (context.refused !== undefined) {
    lines.push(...wrap('refused', context.refused.query, 2), ...wrap('', context.refused.error, 3));
  }
  if (context.proof !== undefined) {
    const [proved, report] = proofLines(context.proof);
    lines.push(...wrap('proof', proved ?? '', 2), ...wrap('report', report ?? '', 2));
  }
  if (context.news !== undefined) lines.push(...wrap('news', context.news, 2));
  if (context.keys)
    lines.push(`${label('keys')}k  kill an agent, or restart the one that is down    r  open the report    q  quit`);
  return lines.map((line) => paint('dim', line));
}

function label(text: string): string {
  return text.padEnd(HINT_WIDTH);
}

/** Text beside a label, broken over at most `linesMax` lines; what does not fit ends in an ellipsis. */
function wrap(name: string, text: string, linesMax: number): string[] {
  const room = TABLE_COLUMNS - HINT_WIDTH;
  const lines: string[] = [];
  let left = text.replaceAll(/\s+/g, ' ').trim();
  while (left !== '' && lines.length < linesMax) {
    const space = left.length > room ? left.lastIndexOf(' ', room) : left.length;
    const end = space > 0 ? space : room;
    lines.push(left.slice(0, end));
    left = left.slice(end).trimStart();
  }
  const last = lines.at(-1);
  if (left !== '' && last !== undefined) lines[lines.length - 1] = `${last.slice(0, room - 1)}…`;
  return lines.map((line, at) => label(at === 0 ? name : '') + line);
}
