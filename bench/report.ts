import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Row } from './row.ts';

/** When, where and how a row was measured. */
export interface Run {
  readonly date: string;
  readonly cpus: number;
  readonly model: string;
  readonly node: string;
  readonly seed: number;
  readonly scale: number;
  readonly repeat: number;
}

export interface ReportRow extends Row {
  readonly run: Run;
}

interface Report {
  readonly rows: readonly ReportRow[];
}

/** Writes the rows into a file; rows of other workloads in it stay. */
export function writeReport(path: string, rows: readonly ReportRow[]): void {
  const before = existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Report).rows : [];
  const report: Report = { rows: merged(before, rows) };
  writeFileSync(path, `${JSON.stringify(report, undefined, 2)}\n`);
}

/** The rows with those of other workloads that were measured before, in the order of their names. */
function merged(before: readonly ReportRow[], rows: readonly ReportRow[]): ReportRow[] {
  const measured = new Set(rows.map(workloadOf));
  const kept = before.filter((row) => !measured.has(workloadOf(row)));
  const order = new Intl.Collator('en', { numeric: true });
  return [...kept, ...rows].sort((a, b) => order.compare(workloadOf(a), workloadOf(b)));
}

function workloadOf({ workload }: Row): string {
  return workload.split(' ')[0]!;
}
