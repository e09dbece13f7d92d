import { ask, federationStatus } from './hub-client.ts';
import type { Answer, Coverage, DomainStatus, Sample } from './hub-client.ts';
import { BY_SERVICE, BY_SERVICE_AND_DOMAIN } from './queries.ts';
import type { Columns } from './queries.ts';

/** One cell of the table; a number that the answer does not hold is undefined. */
export interface Cell {
  readonly requestsPerSecond: number | undefined;
  /** 0 to 1. */
  readonly errorRatio: number | undefined;
  readonly p95Ms: number | undefined;
}

export interface ServiceRow {
  readonly service: string;
  readonly overAll: Cell;
  /** Domain -> its own share of the row. */
  readonly byDomain: Readonly<Record<string, Cell>>;
}

/** What the hub says at one moment: everything that the table shows of it. */
export interface Snapshot {
  readonly rows: readonly ServiceRow[];
  readonly coverage: Coverage | undefined;
  readonly domains: readonly DomainStatus[];
  /** What the hub said instead of an answer, each text once. */
  readonly errors: readonly string[];
}

/** Asks the hub for everything that the table shows. */
export async function takeSnapshot(hubUrl: string): Promise<Snapshot> {
  const columnsOf = async (columns: Columns): Promise<AnsweredColumns> => {
    const [rate, errorRatio, p95] = await Promise.all([
      ask(hubUrl, columns.rate.query),
      ask(hubUrl, columns.errorRatio.query),
      ask(hubUrl, columns.p95.query),
    ]);
    return { rate, errorRatio, p95 };
  };
  const [overAll, byDomain, domains] = await Promise.all([
    columnsOf(BY_SERVICE),
    columnsOf(BY_SERVICE_AND_DOMAIN),
    federationStatus(hubUrl),
  ]);
  return snapshotOf(overAll, byDomain, domains);
}

/** The hub's answers to the three columns of a table. */
export interface AnsweredColumns {
  readonly rate: Answer;
  readonly errorRatio: Answer;
  readonly p95: Answer;
}

/** Puts answers together into rows, one a service, by name. */
export function snapshotOf(
  overAll: AnsweredColumns,
  byDomain: AnsweredColumns,
  domains: readonly DomainStatus[],
): Snapshot {
  const whole = cellsOf(overAll, (metric) => metric['service_name'] ?? '');
  const parts = cellsOf(byDomain, (metric) => `${metric['service_name'] ?? ''}\n${metric['domain'] ?? ''}`);
  const rows = [...whole].map(([service, cell]): ServiceRow => {
    const mine = [...parts].filter(([key]) => key.startsWith(`${service}\n`));
    return {
      service,
      overAll: cell,
      byDomain: Object.fromEntries(mine.map(([key, part]) => [key.slice(service.length + 1), part])),
    };
  });
  const answers = [...Object.values<Answer>({ ...overAll }), ...Object.values<Answer>({ ...byDomain })];
  return {
    rows: rows.sort((a, b) => (a.service < b.service ? -1 : 1)),
    coverage: overAll.rate.ok ? overAll.rate.coverage : undefined,
    domains,
    errors: [...new Set(answers.flatMap((answer) => (answer.ok ? [] : [answer.error])))],
  };
}

function cellsOf(columns: AnsweredColumns, keyOf: (metric: Sample['metric']) => string): Map<string, Cell> {
  const columnOf = (answer: Answer): Map<string, number> =>
    new Map(answer.ok ? answer.result.map((sample) => [keyOf(sample.metric), Number(sample.value[1])]) : []);
  const rate = columnOf(columns.rate);
  const errorRatio = columnOf(columns.errorRatio);
  const p95 = columnOf(columns.p95);
  const cells = new Map<string, Cell>();
  for (const key of new Set([...rate.keys(), ...errorRatio.keys(), ...p95.keys()])) {
    cells.set(key, { requestsPerSecond: rate.get(key), errorRatio: errorRatio.get(key), p95Ms: p95.get(key) });
  }
  return cells;
}
