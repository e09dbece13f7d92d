import type { MetricType } from '../../model/batch.ts';
import { decodeLabels, emptyNames, labelOffsets, type LabelOffsets } from './labels.ts';
import type { ExposedSeries } from './sink.ts';

/** The series of the line that a text parser is at. Its key is the bytes of the line up to the value. */
export interface TextSeries extends ExposedSeries, LabelOffsets {
  readonly bytes: Buffer;
  start: number;
  end: number;
  /** The type that was declared last, of whatever family: by it Prometheus tells which labels are numbers. */
  type: MetricType | undefined;
}

/** One for a whole body: parsers move it from line to line. */
export function textSeries(body: Buffer): TextSeries {
  return {
    ...labelOffsets(),
    bytes: body,
    start: 0,
    end: 0,
    type: undefined,
    get key() {
      return body.toString('latin1', this.start, this.end);
    },
    labels() {
      return decodeLabels(this, body, this.type);
    },
    emptyNames() {
      return emptyNames(this, body);
    },
  };
}

/** A body as a buffer that ends with a line break, so that no scan passes its end. Neither format minds one more. */
export function endedByNewline(bytes: Uint8Array): Buffer {
  const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return body[body.length - 1] === NEWLINE ? body : Buffer.concat([body, Buffer.of(NEWLINE)]);
}

const NEWLINE = 0x0a;
