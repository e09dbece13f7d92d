import { histogramBuilder } from '../model/growing-histograms.ts';
import { concatHistograms, histogramAt, type HistogramColumns, type NativeHistogram } from '../model/histogram.ts';
import { readFrame, writeFrame, type Framed } from './framed.ts';
import { columnsOf, readSection, sectionBytes, sectionOf, writeSection } from './histogram-section.ts';
import { readStarts, START_FLAGS, startBytes, startFlags, writeStarts, type Starts } from './starts.ts';

/** The columns of a chunk: `times` in ms, strictly ascending, and `values`, of the same length. */
export interface ChunkColumns {
  readonly times: Float64Array;
  readonly values: Float64Array;
  readonly starts: Starts;
  readonly histograms: HistogramColumns | undefined;
  /** The last float up to the chunk's end that is no staleness marker; zero when there is none. */
  readonly base: number;
  /** What an addition adds to where that is a histogram which is older than the chunk. */
  readonly baseHistogram: NativeHistogram | undefined;
}

const HISTOGRAMS = 4;
const CHUNK: Framed = { name: 'chunk', headerBytes: 24, flags: START_FLAGS | HISTOGRAMS };
const BASE_AT = 16;

/** The bytes of one chunk, good until the next frame is made. Values keep their bits. */
export function encodeChunk(chunk: ChunkColumns): Uint8Array {
  const { times, values, starts, base } = chunk;
  const rows = times.length;
  const withBase = histogramsWithBase(chunk);
  const section = withBase === undefined ? undefined : sectionOf(withBase, 0, withBase.layoutOf.length);
  const bytes = rows * 16 + startBytes(starts) + (section === undefined ? 0 : sectionBytes(section));
  const flags = startFlags(starts) | (section === undefined ? 0 : HISTOGRAMS);
  return writeFrame(CHUNK, rows, flags, bytes, (sections) => {
    sections.view.setFloat64(BASE_AT, base, true);
    sections.f64(rows).set(times);
    sections.f64(rows).set(values);
    writeStarts(sections, starts);
    if (section !== undefined) writeSection(sections, section);
  });
}

/** Reads a chunk; the columns are views into `bytes` where its alignment allows. Throws `internal` when it is damaged. */
export function decodeChunk(bytes: Uint8Array): ChunkColumns {
  return readFrame(CHUNK, bytes, (sections) => {
    const { rows } = sections;
    const times = sections.f64(rows);
    const values = sections.f64(rows);
    const starts = readStarts(sections);
    const section = (sections.flags & HISTOGRAMS) === 0 ? undefined : readSection(sections, rows + 1);
    const withBase = section === undefined ? undefined : columnsOf(section, rows + 1);
    const hasBase = section !== undefined && section.rows[section.rows.length - 1] === rows;
    return {
      times,
      values,
      starts,
      histograms: section === undefined ? undefined : columnsOf(section, rows),
      base: sections.view.getFloat64(BASE_AT, true),
      baseHistogram: hasBase && withBase !== undefined ? histogramAt(withBase, rows) : undefined,
    };
  });
}

/** The base stands in the row behind the last one. */
function histogramsWithBase({ times, histograms, baseHistogram }: ChunkColumns): HistogramColumns | undefined {
  if (baseHistogram === undefined) return histograms;
  const base = histogramBuilder();
  base.set(0, baseHistogram);
  return concatHistograms([
    { rows: times.length, histograms },
    { rows: 1, histograms: base.build(1) },
  ]);
}
