import type { Figure, Judged, Row, Target } from './row.ts';

/** The results for people: a line a workload and server, how many times better ours is behind the peer's. */
export function table(rows: readonly Row[]): string {
  const blocks: Row[][] = [];
  for (const row of rows) {
    const block = blocks.at(-1);
    if (block !== undefined && figuresOf(block[0]!).join() === figuresOf(row).join()) block.push(row);
    else blocks.push([row]);
  }
  return blocks.map(blockText).join('\n');
}

/** Heading and text of each figure. */
const SHOWN: Readonly<Record<Figure, readonly [heading: string, text: (value: number) => string]>> = {
  perCpuSecond: ['per CPU second', count],
  perSecond: ['per second', count],
  wallMs: ['time', ms],
  cpuMs: ['CPU', ms],
  residentBytes: ['memory', megabytes],
  peakBytes: ['peak memory', megabytes],
  bytesPerSample: ['bytes a sample', (value) => value.toFixed(3)],
  totalBytes: ['bytes', count],
  bytesPerSeries: ['bytes a series', count],
  readyMs: ['ready', ms],
  answerMs: ['first right answer', ms],
  requestsPerSecond: ['requests/s', count],
  aloneP50Ms: ['alone p50', ms],
  aloneP99Ms: ['p99', ms],
  busyP50Ms: ['with queries p50', ms],
  busyP99Ms: ['p99', ms],
  p99Growth: ['p99 growth', (value) => `${value.toFixed(2)}x`],
  addedMs: ['added ms', (value) => value.toFixed(2)],
  queries: ['queries', count],
  queryMs: ['each', ms],
  agentCpuMs: ['agents CPU', ms],
  hubCpuMs: ['hub CPU', ms],
  domainCpuUs: ['a domain', (value) => `${count(value)} us`],
  cells: ['cells', count],
  stepsAsked: ['steps asked', count],
  series: ['series', count],
  wrongSeries: ['wrong', count],
  missingSeries: ['missing', count],
  offBy: ['off by', (value) => (value === 0 ? '0' : value.toExponential(0))],
  slope: ['slope', (value) => value.toFixed(2)],
};

/** Names of the figures of any of its servers, in the order of `SHOWN`. */
function figuresOf(row: Row): Figure[] {
  const there = new Set(row.measured.flatMap(({ figures }) => Object.keys(figures)));
  return (Object.keys(SHOWN) as Figure[]).filter((figure) => there.has(figure));
}

function blockText(block: readonly Row[]): string {
  const figures = figuresOf(block[0]!);
  const heading = ['', ...figures.map((figure) => SHOWN[figure][0]), 'ours', 'target', ''];
  // A line that has a note has no columns.
  const lines = block.map((row) =>
    row.measured.map((one, i) => (one.note === undefined ? cells(row, i, figures) : [])),
  );
  const widths = heading.map((_, column) =>
    Math.max(...[heading, ...lines.flat()].map((line) => line[column]?.length ?? 0)),
  );
  const text = (line: readonly string[]): string =>
    line.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  ');
  const rows = block.flatMap(({ workload, what, measured }, row) => [
    `${workload}: ${what}`,
    ...measured.map(({ peer, note }, i) => (note === undefined ? text(lines[row]![i]!) : `  ${peer}: ${note}`)),
  ]);
  return [text(heading), ...rows].map((line) => `${line.trimEnd()}\n`).join('');
}

/** The target stands beside what it judges: the first peer's ratio, or our own figure. */
function cells(row: Row, i: number, figures: readonly Figure[]): string[] {
  const one = row.measured[i]!;
  const verdict = verdictOn(row, i);
  return [
    `  ${one.peer}`,
    ...figures.map((figure) => figureText(one, figure)),
    one.ratio === undefined ? '' : `${one.ratio.toFixed(2)}x`,
    ...verdict,
  ];
}

function verdictOn({ measured, target, met }: Row, i: number): [target: string, met: string] {
  if (target === undefined) return ['', ''];
  if (target.kind === 'ratio' && target.of === 'each') {
    const one = measured[i]!;
    return one.met === undefined ? ['', ''] : [`${one.atLeast ?? target.atLeast}x`, metText(one.met)];
  }
  return i === (target.kind === 'ratio' ? 1 : 0) ? [targetText(target), metText(met)] : ['', ''];
}

function figureText({ figures }: Judged, figure: Figure): string {
  const value = figures[figure];
  return value === undefined ? '' : SHOWN[figure][1](value);
}

function targetText(target: Target): string {
  return target.kind === 'ratio' ? `${target.atLeast}x` : `<= ${SHOWN[target.figure][1](target.atMost)}`;
}

function metText(met: boolean | undefined): string {
  if (met === undefined) return '';
  return met ? 'met' : 'missed';
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function ms(value: number): string {
  return `${value < 9.95 ? value.toFixed(1) : count(value)} ms`;
}

function megabytes(bytes: number): string {
  return `${count(bytes / 1024 / 1024)} MB`;
}
