import type { Labels } from '../../model/labels.ts';
import { malformed, readEnd, type ProtoCursor } from '../proto-cursor.ts';
import { formatLabelFloat } from './float.ts';
import { seriesLabels } from './labels.ts';
import { readLabel } from './exemplar-message.ts';
import type { MetricMessage } from './metric-message.ts';
import type { ExposedSeries } from './sink.ts';

/** What a metric's series is of it: the name's suffix and the label with a number. */
export const PLAIN = 0;
export const COUNT = 1;
export const SUM = 2;
export const BUCKET = 3;
export const QUANTILE = 4;

const SUFFIXES = ['', '_count', '_sum', '_bucket', ''];

/** The series of the metric that was read last. */
export interface ProtoSeries {
  /** The name of the family. */
  readonly metric: string;
  /** Goes on to the metric that was read last, of this family. */
  begin(metric: string): void;
  /** The same object each time. `bound` is that of a bucket or quantile. */
  as(part: number, bound?: number): ExposedSeries;
}

/** A byte that no UTF-8 has, so that no key of a text exposition starts with it and no name holds it. */
const PARTING = 0xff;

/** Bytes of a key beside the name and the labels: two parting ones, the part and a bound. */
const EXTRA_BYTES = 11;

/**
 * The key of a series is the family's name, the part, the labels as they stand in the body and the bits of the bound: all
 * that its labels are made of.
 */
export function protoSeries(cursor: ProtoCursor, message: MetricMessage): ProtoSeries {
  const { bytes: body } = cursor;
  let metric = '';
  let name: Buffer = Buffer.alloc(0);
  let part = PLAIN;
  let bound = 0;
  let key = Buffer.alloc(256);
  /** Where the labels end in the key. */
  let labelsEnd = 0;

  const series = {
    bytes: key,
    start: 0,
    end: 0,
    get key() {
      return key.toString('latin1', 0, series.end);
    },
    labels(): Labels {
      const pairs = ownLabels();
      if (part === BUCKET) pairs.push('le', formatLabelFloat(bound));
      else if (part === QUANTILE) pairs.push('quantile', formatLabelFloat(bound));
      const labels = seriesLabels(metric + SUFFIXES[part]!, pairs);
      if (typeof labels === 'string') throw malformed(cursor, `${metric}: ${labels}`);
      return labels;
    },
    emptyNames(): string[] {
      const pairs = ownLabels();
      return pairs.filter((_, i) => i % 2 === 0 && pairs[i + 1] === '');
    },
  };

  /** Names and values in turn, as the message has them. */
  function ownLabels(): string[] {
    const pairs: string[] = [];
    const { at } = cursor;
    for (let i = 0; i < message.labels.length; i += 2) {
      cursor.at = message.labels[i]!;
      readLabel(cursor, readEnd(cursor, message.labels[i + 1]!), pairs);
    }
    cursor.at = at;
    return pairs;
  }

  return {
    get metric() {
      return metric;
    },
    begin(family) {
      if (family !== metric || name.length === 0) {
        metric = family;
        name = Buffer.from(family);
      }
      let size = name.length + EXTRA_BYTES;
      const { labels } = message;
      for (let i = 0; i < labels.length; i += 2) size += labels[i + 1]! - labels[i]!;
      if (size > key.length) {
        key = Buffer.alloc(size * 2);
        series.bytes = key;
      }
      key[0] = PARTING;
      key.set(name, 1);
      key[1 + name.length] = PARTING;
      let at = 3 + name.length;
      for (let i = 0; i < labels.length; i += 2) {
        const end = labels[i + 1]!;
        for (let from = labels[i]!; from < end; from++) key[at++] = body[from]!;
      }
      labelsEnd = at;
    },
    as(newPart, newBound = 0) {
      part = newPart;
      bound = newBound;
      key[2 + name.length] = part;
      series.end = labelsEnd;
      if (part === BUCKET || part === QUANTILE) series.end = key.writeDoubleLE(bound, labelsEnd);
      return series;
    },
  };
}
