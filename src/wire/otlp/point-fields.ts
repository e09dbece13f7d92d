import { contentEnd, otherFieldEnd, smallVarint, UNUSUAL, varintEnd } from './fields.ts';
import { FLAG_NO_RECORDED_VALUE } from './messages.ts';
import { millisAt, type PointWalk } from './point-walk.ts';
import type { MessageSchema } from './schema.ts';

/** Where points of every kind have what they have in common: tags of one byte, which are not the same in each. */
export interface PointTags {
  readonly schema: MessageSchema;
  readonly attributes: number;
  readonly exemplars: number;
  readonly flags: number;
}

/** What the fields say that points of every kind have. */
export interface PointFields {
  /** The run of attributes, with their tags; both 0 where there are none. */
  attributesAt: number;
  attributesEnd: number;
  hasExemplars: boolean;
  stale: boolean;
  /** Where the times stand, -1 where they were not sent. */
  timeAt: number;
  startAt: number;
}

/** The fields of a point of which nothing has been read: the same object each time. */
export function noFields(): PointFields {
  fields.attributesAt = 0;
  fields.attributesEnd = 0;
  fields.hasExemplars = false;
  fields.stale = false;
  fields.timeAt = -1;
  fields.startAt = -1;
  return fields;
}

const fields: PointFields = {
  attributesAt: 0,
  attributesEnd: 0,
  hasExemplars: false,
  stale: false,
  timeAt: -1,
  startAt: -1,
};

/** Reads the field at `at`, which is none that the point's kind has for itself, and returns where it ends. */
export function commonFieldEnd(
  { bytes }: PointWalk,
  tags: PointTags,
  into: PointFields,
  at: number,
  end: number,
): number {
  const tag = bytes[at];
  if (tag === tags.attributes) {
    // A second run of them is unusual.
    if (into.attributesEnd !== 0) throw UNUSUAL;
    into.attributesAt = at;
    let pos = at;
    while (pos < end && bytes[pos] === tag) pos = contentEnd(bytes, pos + 1, end);
    return (into.attributesEnd = pos);
  }
  if (tag === 0x11 /* start_time_unix_nano */) {
    into.startAt = at + 1;
    return at + 9;
  }
  if (tag === 0x19 /* time_unix_nano */) {
    into.timeAt = at + 1;
    return at + 9;
  }
  if (tag === tags.flags) {
    into.stale = (smallVarint(bytes, at + 1, end) & FLAG_NO_RECORDED_VALUE) !== 0;
    return varintEnd(bytes, at + 1, end);
  }
  if (tag === tags.exemplars) {
    into.hasExemplars = true;
    return contentEnd(bytes, at + 1, end);
  }
  return otherFieldEnd(bytes, at, end, tags.schema);
}

/** The time of the point; 0 where it has to be rejected for that. */
export function timeOf({ view, intake }: PointWalk, { timeAt }: PointFields): number {
  if (timeAt < 0) return 0;
  const timeMs = millisAt(view, timeAt);
  return timeMs > intake.futureEndMs ? 0 : timeMs;
}
