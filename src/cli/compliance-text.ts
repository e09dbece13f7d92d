import type { ComplianceReport } from '../ledger/report/report.ts';
import { aligned } from './query-table.ts';

/** The report in short, for a terminal. */
export function reportText(report: ComplianceReport): string {
  const { domain, from, to, summary: s, left, denials, groups_of_one: ones, ledger } = report;
  const lines = [
    `${domain}, ${from.slice(0, 16)}Z to ${to.slice(0, 16)}Z`,
    `left      ${s.answers} answers, ${s.bytes} bytes, to ${s.destinations.join(', ') || 'nobody'}`,
    `refused   ${s.fragments_refused} of ${s.fragments_refused + s.fragments_released} questions`,
    `policies  ${s.policy_changes} put in force, ${s.loosenings} of them looser`,
    `ledger    verified: ${ledger.size} entries, root ${ledger.root}`,
  ];
  if (left.rows.length > 0) {
    const header = ['METRIC', 'AS', 'BROKEN DOWN BY', 'TO', 'ANSWERS', 'BYTES'];
    const rows = left.rows.map((row) => [
      row.metric,
      row.class,
      row.dimensions.join(',') || '-',
      row.destination,
      String(row.answers),
      String(row.bytes),
    ]);
    lines.push('', aligned([header, ...rows]));
  }
  if (denials.rows.length > 0) {
    const rows = denials.rows.map((row) => [row.reason, String(row.fragments), row.metrics.join(',')]);
    lines.push('', aligned([['REFUSED FOR', 'QUESTIONS', 'METRICS'], ...rows]));
  }
  if (ones.metrics.length > 0) lines.push('', `groups of one series may have shown of: ${ones.metrics.join(', ')}`);
  return lines.join('\n');
}
