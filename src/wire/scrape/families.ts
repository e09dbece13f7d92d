import { isUtf8 } from 'node:buffer';
import { LIMITS } from '../../base/limits.ts';
import type { Metadata, MetricType } from '../../model/batch.ts';
import { refused } from './malformed.ts';
import { unescape } from './labels.ts';

/** Puts together what a text says of a metric family in lines of their own. */
export interface FamilyLines {
  type(metric: string, type: MetricType): void;
  help(metric: string, help: string): void;
  unit(metric: string, unit: string): void;
  /** Hands over what was said since the last time. To be called before a sample and at the end. */
  flush(): void;
}

export function familyLines(emit: (metadata: Metadata) => void): FamilyLines {
  let family: { -readonly [K in keyof Metadata]: Metadata[K] } | undefined;
  let isNew = false;

  /** The family of a line: what was said of it before still holds. */
  function at(metric: string): { -readonly [K in keyof Metadata]: Metadata[K] } {
    if (family?.metric !== metric) {
      flush();
      family = { metric, type: 'unknown', help: '', unit: '' };
    }
    isNew = true;
    return family;
  }

  function flush(): void {
    if (!isNew || family === undefined) return;
    isNew = false;
    emit({ ...family });
  }

  return {
    type(metric, type) {
      at(metric).type = type;
    },
    help(metric, help) {
      at(metric).help = help;
    },
    unit(metric, unit) {
      at(metric).unit = unit;
    },
    flush,
  };
}

/**
 * A help text in `body[start, end)`, cut to what is kept of one. OpenMetrics escapes `quotes` in it, the text format does
 * not. Throws `bad_data` where it is no UTF-8.
 */
export function decodeHelp(body: Buffer, start: number, end: number, quotes: boolean): string {
  if (!isUtf8(body.subarray(start, end))) throw refused(body, start, 'the help text is no valid UTF-8');
  const text = body.toString('utf8', start, utf8Cut(body, start, end, LIMITS.helpBytes));
  return quotes
    ? unescape(text)
    : text.replace(/\\([\\n])/g, (_whole: string, escaped: string) => (escaped === 'n' ? '\n' : '\\'));
}

/** The end of the text in `body[start, end)` when it may have `limit` bytes: no character is cut in two. */
export function utf8Cut(body: Buffer, start: number, end: number, limit: number): number {
  if (end - start <= limit) return end;
  let cut = start + limit;
  while (cut > start && (body[cut]! & 0xc0) === 0x80) cut--;
  return cut;
}
