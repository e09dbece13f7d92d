import type { Measured, Result } from './workload.ts';

/** The results for people: a line a workload and peer, ratios behind ours. */
export function table(results: readonly Result[]): string {
  const rows = [['', '', 'per CPU second', 'per second', 'memory', 'ratio', 'target']];
  for (const { workload, what, measured, ratio, target } of results) {
    for (const [i, one] of measured.entries()) {
      const first = i === 0;
      rows.push([
        first ? `${workload}: ${what}` : '',
        one.peer,
        ...figures(one),
        first && ratio !== undefined ? `${ratio.toFixed(2)}x` : '',
        first ? `${target}x` : '',
      ]);
    }
  }
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((cells) => cells[column]!.length)));
  const lines = rows.map((cells) =>
    cells
      .map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd(),
  );
  return `${lines.join('\n')}\n`;
}

function figures({ perCpuSecond, perWallSecond, residentBytes }: Measured): string[] {
  if (perCpuSecond === undefined || perWallSecond === undefined || residentBytes === undefined) {
    return ['left out: no program', '', ''];
  }
  return [count(perCpuSecond), count(perWallSecond), `${Math.round(residentBytes / 1024 / 1024)} MB`];
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
