import { STORED_FLAGS, type Head } from './head.ts';
import { padded, readFrame, writeFrame, type Framed } from './framed.ts';

/** Where each series of a page ends: what an append must know of it. A page is the series with ids in one stretch. */
export const IDS_PER_PAGE = 256;

export function pageOf(id: number): number {
  return Math.floor(id / IDS_PER_PAGE);
}

/** A copy of a head's columns as they were when a memtable was closed. */
export type HeadEnds = Pick<Head, 'ids' | 'firstTimes' | 'lastTimes' | 'bases' | 'flags'>;

const PAGE: Framed = { name: 'page of series states', headerBytes: 16, flags: 0 };

/** The page that tells of some series; series without samples are left out. Good until the next frame is made. */
export function encodePage(
  refs: readonly number[],
  { ids, firstTimes, lastTimes, bases, flags }: HeadEnds,
): Uint8Array {
  const rows = refs.length;
  return writeFrame(PAGE, rows, 0, rows * 24 + padded(rows * 4) + padded(rows), (sections) => {
    const columns = [sections.f64(rows), sections.f64(rows), sections.f64(rows)] as const;
    const idColumn = sections.u32(rows + (rows % 2));
    const flagColumn = sections.u8(rows);
    for (let i = 0; i < rows; i++) {
      const ref = refs[i]!;
      columns[0][i] = firstTimes[ref]!;
      columns[1][i] = lastTimes[ref]!;
      // A NaN's payload may not survive a register, so its bytes are copied.
      columns[2].set(bases.subarray(ref, ref + 1), i);
      idColumn[i] = ids[ref]!;
      flagColumn[i] = flags[ref]! & STORED_FLAGS;
    }
  });
}

/** Takes a page over into a head; series that there are no more are left out. Throws `internal` when it is damaged. */
export function readPage(body: Uint8Array, head: Head, refOf: (id: number) => number | undefined): void {
  readRows(body, (rows, count) => {
    for (let i = 0; i < count; i++) {
      const ref = refOf(rows.ids[i]!);
      if (ref === undefined) continue;
      const lastMs = rows.lastTimes[i]!;
      head.firstTimes[ref] = rows.firstTimes[i]!;
      head.lastTimes[ref] = lastMs;
      head.bases.set(rows.bases.subarray(i, i + 1), ref);
      head.flags[ref] = rows.flags[i]! & STORED_FLAGS;
      if (lastMs > head.latestMs) head.latestMs = lastMs;
    }
  });
}

/** What becomes of a row when its page is changed. */
export type RowChange = 'same' | 'changed' | 'gone';

/** The page with some rows changed or gone; undefined where all stay the same, and where the page is damaged. */
export function changePage(
  body: Uint8Array,
  change: (rows: HeadEnds, row: number) => RowChange,
): Uint8Array | undefined {
  try {
    return readRows(Uint8Array.from(body), (rows, count) => {
      const changes = Array.from({ length: count }, (_, row) => change(rows, row));
      if (changes.every((one) => one === 'same')) return undefined;
      const left = [...changes.keys()].filter((row) => changes[row] !== 'gone');
      return encodePage(left, rows).slice();
    });
  } catch {
    // The next open finds that out, and says so.
    return undefined;
  }
}

/** The rows of a page, as views into its bytes. */
function readRows<T>(body: Uint8Array, read: (rows: HeadEnds, count: number) => T): T {
  return readFrame(PAGE, body, (sections) => {
    const { rows } = sections;
    const firstTimes = sections.f64(rows);
    const lastTimes = sections.f64(rows);
    const bases = sections.f64(rows);
    const ids = sections.u32(rows + (rows % 2));
    const flags = sections.u8(rows);
    return read({ ids, firstTimes, lastTimes, bases, flags }, rows);
  });
}
