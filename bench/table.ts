import type { Measured, Result } from './workload.ts';

/** The results for people: a line a workload and peer, ratios behind ours. */
export function table(results: readonly Result[]): string {
  const lines = [row(['', '', 'per CPU second', 'per second', 'memory', 'ratio', 'target'])];
  for (const { workload, what, measured, ratio, target } of results) {
    for (const [i, one] of measured.entries()) {
      const first = i === 0;
      lines.push(
        row([
          first ? `${workload}: ${what}` : '',
          one.peer,
          ...figures(one),
          first && ratio !== undefined ? `${ratio.toFixed(2)}x` : '',
          first ? `${target}x` : '',
        ]),
      );
    }
  }
  return `${lines.join('\n')}\n`;
}

const WIDTHS = [38, 12, 16, 12, 10, 8, 8];

function row(cells: readonly string[]): string {
  return cells.map((cell, i) => (i < 2 ? cell.padEnd(WIDTHS[i]!) : cell.padStart(WIDTHS[i]!))).join('');
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
