import { addExponentialBytes } from './byte-exponential.ts';
import { addHistogramBytes } from './byte-histogram.ts';
import { addHistogramPoint } from './classic-histogram.ts';
import { addExemplars } from './exemplars.ts';
import { contentEnd, otherFieldEnd, smallVarint, UNUSUAL, varintEnd } from './fields.ts';
import { took } from './intake.ts';
import type { ExponentialHistogramDataPoint, HistogramDataPoint, NumberDataPoint } from './messages.ts';
import { FLAG_NO_RECORDED_VALUE, type SummaryDataPoint } from './messages.ts';
import { addCustomBucketsPoint, addExponentialPoint } from './native-histogram.ts';
import { countedPoint, decodeExemplars, knownPoint, runOn } from './point-series.ts';
import { count, millisAt, POINT_DEPTH, POINT_SCHEMAS, signed64At, startMillisAt } from './point-walk.ts';
import type { BytesContext, PointWalk } from './point-walk.ts';
import { addNumberPoint, addRow, addSummaryPoint } from './points.ts';
import { decodeProtobufPart } from './protobuf.ts';
import { NUMBER_POINT } from './schema.ts';

/** Adds or rejects the point `[start, end)` of the context's metric. */
export function addBytesPoint(walk: PointWalk, context: BytesContext, start: number, end: number): void {
  const added = addKnownPoint(walk, context, start, end);
  if (!added) addDecodedPoint(walk, context, start, end);
}

/** False for a point that has to be decoded to say what it is, or why it is rejected. */
function addKnownPoint(walk: PointWalk, context: BytesContext, start: number, end: number): boolean {
  switch (context.family.kind) {
    case 'gauge':
    case 'sum':
      return addNumberBytes(walk, context, start, end);
    case 'histogram':
      return addHistogramBytes(walk, context, start, end);
    case 'exponential':
      return addExponentialBytes(walk, context, start, end);
    case 'summary':
      return false;
  }
}

function addDecodedPoint(walk: PointWalk, context: BytesContext, start: number, end: number): void {
  const { kind } = context.family;
  const { message, elements } = decodeProtobufPart(POINT_SCHEMAS[kind], walk.bytes, start, end, POINT_DEPTH);
  count(walk, elements);
  switch (kind) {
    case 'gauge':
    case 'sum':
      addNumberPoint(context, message as unknown as NumberDataPoint);
      break;
    case 'histogram': {
      const add = walk.options.convertHistogramsToNhcb === true ? addCustomBucketsPoint : addHistogramPoint;
      add(context, message as unknown as HistogramDataPoint);
      break;
    }
    case 'exponential':
      addExponentialPoint(context, message as unknown as ExponentialHistogramDataPoint);
      break;
    case 'summary':
      addSummaryPoint(context, message as unknown as SummaryDataPoint);
      break;
  }
}

/** Most points are numbers: with its fields in one loop, not as `commonFieldEnd` has them, a point takes a tenth less. */
function addNumberBytes(walk: PointWalk, context: BytesContext, start: number, end: number): boolean {
  const { bytes, view, intake } = walk;
  let attributesAt = 0;
  let attributesEnd = 0;
  let startAt = -1;
  let timeAt = -1;
  let valueAt = -1;
  let isInt = false;
  let hasExemplars = false;
  let flags = 0;
  let pos = start;
  while (pos < end) {
    switch (bytes[pos]) {
      case 0x3a /* attributes */:
        if (attributesEnd === 0) attributesAt = pos;
        attributesEnd = runOn(bytes, pos, end, attributesEnd);
        pos = attributesEnd;
        break;
      case 0x11 /* start_time_unix_nano */:
        startAt = pos + 1;
        pos += 9;
        break;
      case 0x19 /* time_unix_nano */:
        timeAt = pos + 1;
        pos += 9;
        break;
      case 0x21 /* as_double */:
        valueAt = pos + 1;
        isInt = false;
        pos += 9;
        break;
      case 0x31 /* as_int */:
        valueAt = pos + 1;
        isInt = true;
        pos += 9;
        break;
      case 0x2a /* exemplars */:
        hasExemplars = true;
        pos = contentEnd(bytes, pos + 1, end);
        break;
      case 0x40 /* flags */:
        flags = smallVarint(bytes, pos + 1, end);
        pos = varintEnd(bytes, pos + 1, end);
        break;
      default:
        pos = otherFieldEnd(bytes, pos, end, NUMBER_POINT);
    }
  }
  if (pos !== end) throw UNUSUAL;
  const stale = (flags & FLAG_NO_RECORDED_VALUE) !== 0;
  if (timeAt < 0 || (valueAt < 0 && !stale)) return false;
  const timeMs = millisAt(view, timeAt);
  if (timeMs === 0 || timeMs > intake.futureEndMs) return false;
  const known = knownPoint(walk, context, attributesAt, attributesEnd);
  const point = countedPoint(walk, context, NUMBER_POINT, known, attributesAt, attributesEnd);
  if (point === undefined) return true;
  const startMs = startMillisAt(view, startAt);
  const value = valueAt < 0 ? 0 : isInt ? signed64At(view, valueAt) : view.getFloat64(valueAt, true);
  const series = intake.builder.series(point.handle);
  addRow(context, series, timeMs, startMs, stale, value);
  if (hasExemplars) {
    const exemplars = decodeExemplars(walk, start, end, 0x2a);
    if (context.family.kind === 'sum') addExemplars(context, series, { timeMs, startMs, stale }, exemplars);
  }
  took(intake, context.family, timeMs, stale, value);
  return true;
}
