import { crc32 } from 'node:zlib';
import { ComityError } from '../base/errors.ts';

/** A kind of stored bytes: a header of `headerBytes`, then sections, eight bytes aligned. See docs/formats.md. */
export interface Framed {
  /** What it is called in errors. */
  readonly name: string;
  readonly headerBytes: number;
  /** The flags that say which sections there are. Any other one makes a frame unreadable. */
  readonly flags: number;
}

/** Reads or writes the sections of a frame one after the other, the header being apart. */
export interface Sections {
  readonly view: DataView<ArrayBuffer>;
  readonly rows: number;
  readonly flags: number;
  /** The next `count` numbers, as a view into the frame. Throws `internal` where they would go past its end. */
  f64(count: number): Float64Array<ArrayBuffer>;
  u32(count: number): Uint32Array<ArrayBuffer>;
  i32(count: number): Int32Array<ArrayBuffer>;
  /** Padded to eight bytes. */
  u8(count: number): Uint8Array<ArrayBuffer>;
  /** What was read is damaged: an error that says why. */
  damaged(reason: string): ComityError;
}

const VERSION = 2;

/** Version 1 had no flags, and zero in their place. */
const VERSION_WITHOUT_FLAGS = 1;

const CRC_AT = 4;
const CRC_FROM = 8;
const ROWS_AT = 8;
const FLAGS_AT = 12;

/** Memory that frames are made in: a usual one is written to the database and then of no use. */
let room = new Uint8Array(64 * 1024);

/** Longer frames get memory of their own. */
const ROOM_BYTES_MAX = 1024 * 1024;

function roomFor(bytes: number): Uint8Array<ArrayBuffer> {
  if (bytes > ROOM_BYTES_MAX) return new Uint8Array(bytes);
  if (bytes > room.length) room = new Uint8Array(Math.min(bytes * 2, ROOM_BYTES_MAX));
  return room.subarray(0, bytes).fill(0);
}

/**
 * Makes a frame whose sections take `sectionBytes` and are written by `fill`. It is good until the next frame is made: that
 * one may take the same memory.
 */
export function writeFrame(
  kind: Framed,
  rows: number,
  flags: number,
  sectionBytes: number,
  fill: (sections: Sections) => void,
): Uint8Array {
  const bytes = roomFor(kind.headerBytes + sectionBytes);
  const view = new DataView(bytes.buffer, 0, bytes.length);
  view.setUint8(0, VERSION);
  view.setUint32(ROWS_AT, rows, true);
  view.setUint32(FLAGS_AT, flags, true);
  fill(sectionsOf(kind, view, rows, flags));
  view.setUint32(CRC_AT, crc32(bytes.subarray(CRC_FROM)), true);
  return bytes;
}

/**
 * Checks a frame and hands its sections to `read`, which must take all of them. They are views into `bytes` where their
 * alignment allows. Throws `internal` when the frame is damaged.
 */
export function readFrame<T>(kind: Framed, bytes: Uint8Array, read: (sections: Sections) => T): T {
  if (bytes.length < kind.headerBytes) throw damagedFrame(kind, `${bytes.length} bytes are too few for its header`);
  const aligned = (bytes.byteOffset % 8 === 0 ? bytes : new Uint8Array(bytes)) as Uint8Array<ArrayBuffer>;
  const view = new DataView(aligned.buffer, aligned.byteOffset, aligned.length);
  const version = view.getUint8(0);
  const flags = view.getUint32(FLAGS_AT, true);
  if (version !== VERSION && version !== VERSION_WITHOUT_FLAGS) {
    throw damagedFrame(kind, `version ${version} is unknown`);
  }
  if (view.getUint32(CRC_AT, true) !== crc32(aligned.subarray(CRC_FROM))) {
    throw damagedFrame(kind, 'its checksum does not match');
  }
  if ((flags & ~(version === VERSION ? kind.flags : 0)) !== 0) throw damagedFrame(kind, `flags ${flags} are unknown`);
  const sections = sectionsOf(kind, view, view.getUint32(ROWS_AT, true), flags);
  const result = read(sections);
  if (sections.left() !== 0) throw damagedFrame(kind, `${sections.left()} bytes are too many`);
  return result;
}

function sectionsOf(
  kind: Framed,
  view: DataView<ArrayBuffer>,
  rows: number,
  flags: number,
): Sections & { left(): number } {
  const { buffer, byteOffset } = view;
  let at = kind.headerBytes;

  function take(bytes: number): number {
    const start = at;
    if (!(bytes <= view.byteLength - start)) throw damagedFrame(kind, `${view.byteLength} bytes do not hold its rows`);
    at += bytes;
    return byteOffset + start;
  }

  return {
    view,
    rows,
    flags,
    f64: (count) => new Float64Array(buffer, take(count * 8), count),
    u32: (count) => new Uint32Array(buffer, take(count * 4), count),
    i32: (count) => new Int32Array(buffer, take(count * 4), count),
    u8: (count) => new Uint8Array(buffer, take(padded(count)), count),
    damaged: (reason) => damagedFrame(kind, reason),
    left: () => view.byteLength - at,
  };
}

/** `bytes` rounded up to a multiple of eight. */
export function padded(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

function damagedFrame(kind: Framed, reason: string): ComityError {
  return new ComityError('internal', `a ${kind.name} is damaged: ${reason}`);
}
