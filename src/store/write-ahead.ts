import type { HistogramColumns } from '../model/histogram.ts';
import { readFrame, writeFrame, type Framed } from './framed.ts';
import { columnsOf, readSection, sectionBytes, sectionOf, writeSection } from './histogram-section.ts';
import { readStarts, START_FLAGS, startBytes, startFlags, writeStarts, type Starts } from './starts.ts';

/**
 * The samples that one append stores, in columns: row i belongs to the series with the row id `seriesIds[i]`. Values are
 * absolute (additions are done), so reading a record twice changes nothing. A row at its series' last time replaces the
 * last sample.
 */
export interface RecordColumns {
  readonly seriesIds: Uint32Array;
  readonly times: Float64Array;
  readonly values: Float64Array;
  readonly starts: Starts;
  readonly histograms: HistogramColumns | undefined;
}

const HISTOGRAMS = 4;
const RECORD: Framed = { name: 'write-ahead record', headerBytes: 16, flags: START_FLAGS | HISTOGRAMS };

/** The bytes of one write-ahead record, good until the next frame is made. Values keep their bits. */
export function encodeRecord({ seriesIds, times, values, starts, histograms }: RecordColumns): Uint8Array {
  const rows = times.length;
  const section = histograms === undefined ? undefined : sectionOf(histograms, 0, rows);
  const sampleBytes = rows * 16 + rows * 4 + startBytes(starts);
  const flags = startFlags(starts) | (section === undefined ? 0 : HISTOGRAMS);
  return writeFrame(
    RECORD,
    rows,
    flags,
    sampleBytes + (section === undefined ? 0 : sectionBytes(section)),
    (sections) => {
      sections.f64(rows).set(times);
      sections.f64(rows).set(values);
      writeStarts(sections, starts);
      if (section !== undefined) writeSection(sections, section);
      sections.u32(rows).set(seriesIds);
    },
  );
}

/** Reads a record; the columns are views into `bytes` where its alignment allows. Throws `internal` when it is damaged. */
export function decodeRecord(bytes: Uint8Array): RecordColumns {
  return readFrame(RECORD, bytes, (sections) => {
    const { rows } = sections;
    const times = sections.f64(rows);
    const values = sections.f64(rows);
    const starts = readStarts(sections);
    const section = (sections.flags & HISTOGRAMS) === 0 ? undefined : readSection(sections, rows);
    const seriesIds = sections.u32(rows);
    return { times, values, seriesIds, starts, histograms: section && columnsOf(section, rows) };
  });
}
