import {
  nativeMessage,
  readCounts,
  readCustomBounds,
  readDeltas,
  readSpan,
  resetNative,
  type NativeMessage,
} from '../native-message.ts';
import {
  FIXED64,
  readDouble,
  readInt64,
  readSint32,
  readTag,
  readUint32,
  readUint64,
  skipField,
  VARINT,
  wrongWireType,
  type ProtoCursor,
} from '../proto-cursor.ts';

/** Everything that a message of either version says, before it is looked at. */
export interface WriteMessage extends NativeMessage {
  hint: number;
  timeMs: number;
  startMs: number;
}

/** Room for any histogram within the limits, to be filled again and again. */
export function writeMessage(): WriteMessage {
  return { ...nativeMessage(), hint: 0, timeMs: 0, startMs: 0 };
}

/**
 * Fills `into` from the message that ends at `end`: those of remote write 1.0 and 2.0 are alike. Of a oneof the member that
 * comes last holds.
 */
export function readHistogram(cursor: ProtoCursor, end: number, into: WriteMessage): void {
  resetNative(into);
  into.hint = 0;
  into.timeMs = 0;
  into.startMs = 0;
  while (cursor.at < end) {
    const tag = readTag(cursor, end);
    switch (tag) {
      case (1 << 3) | VARINT:
        into.countInt = readUint64(cursor, end);
        into.countFloat = 0;
        into.isFloat = false;
        break;
      case (2 << 3) | FIXED64:
        into.countFloat = readDouble(cursor, end);
        into.countInt = 0;
        into.isFloat = true;
        break;
      case (3 << 3) | FIXED64:
        readSum(cursor, end, into);
        break;
      case (4 << 3) | VARINT:
        into.schema = readSint32(cursor, end);
        break;
      case (5 << 3) | FIXED64:
        into.zeroThreshold = readDouble(cursor, end);
        break;
      case (6 << 3) | VARINT:
        into.zeroCountInt = readUint64(cursor, end);
        into.zeroCountFloat = 0;
        break;
      case (7 << 3) | FIXED64:
        into.zeroCountFloat = readDouble(cursor, end);
        into.zeroCountInt = 0;
        break;
      case (14 << 3) | VARINT:
        into.hint = readUint32(cursor, end);
        break;
      case (15 << 3) | VARINT:
        into.timeMs = readInt64(cursor, end);
        break;
      case (17 << 3) | VARINT:
        into.startMs = readInt64(cursor, end);
        break;
      default:
        readRepeated(cursor, end, tag, into);
    }
  }
}

function readRepeated(cursor: ProtoCursor, end: number, tag: number, into: WriteMessage): void {
  const field = tag >>> 3;
  const side = field < 11 ? into.negative : into.positive;
  if (field === 8 || field === 11) readSpan(cursor, end, tag, into, side);
  else if (field === 9 || field === 12) readDeltas(cursor, end, tag, into, side);
  else if (field === 10 || field === 13) readCounts(cursor, end, tag, into, side);
  else if (field === 16) readCustomBounds(cursor, end, tag, into);
  else if (field <= 17) throw wrongWireType(cursor, 'Histogram', tag);
  else skipField(cursor, tag, end);
}

/** The bits are copied as two words: a NaN that passes through a number may lose its payload. */
function readSum(cursor: ProtoCursor, end: number, into: WriteMessage): void {
  const { at, view } = cursor;
  readDouble(cursor, end);
  const words = new Uint32Array(into.sum.buffer);
  words[0] = view.getUint32(at, true);
  words[1] = view.getUint32(at + 4, true);
}
