import { Counter, type Registry } from 'prom-client';
import type { AnswerKind } from '../border/released.ts';

/** What an agent counts of what leaves and what stays. */
export interface BorderMetrics {
  released(kind: AnswerKind, bytes: number): void;
  /** Bytes that went over the border since the agent started. */
  releasedBytes(): number;
  /** Cells (groups x steps) stayed because too few series were behind them. */
  suppressed(cells: number): void;
}

/** The numbers stay in the domain: what was suppressed is told to nobody who asks from outside. */
export function borderMetrics(registry: Registry): BorderMetrics {
  const registers = [registry];
  const released = new Counter({
    name: 'comity_border_released_bytes_total',
    help: 'Bytes that left the domain, as sent, by kind of answer.',
    labelNames: ['kind'],
    registers,
  });
  const suppressed = new Counter({
    name: 'comity_border_suppressed_cells_total',
    help: 'Numbers (groups x steps) that stayed because fewer series than min_series were behind them.',
    registers,
  });
  let total = 0;
  return {
    released(kind, bytes) {
      total += bytes;
      released.inc({ kind }, bytes);
    },
    releasedBytes: () => total,
    suppressed: (cells) => suppressed.inc(cells),
  };
}
