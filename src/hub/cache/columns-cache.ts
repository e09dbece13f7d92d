import { NOTHING_KNOWN, type LateKnown, type LateTold } from '../../plan/frames/coverage-codec.ts';
import type { TimeRange } from '../../plan/read-range.ts';
import { bytesOfSegment, partOf, segmentsWith, segmentsWithout, type Segment } from './segments.ts';
import { stepsBeside, stepsReading, type StepRead, type Steps, type StepTimes } from './steps.ts';

/**
 * What agents have said of single steps of fragments and would say again: complete, settled, and not changed since. Columns are
 * kept as each domain gave them, before they are merged. What was not used for longest goes first.
 */
export interface ColumnsCache {
  /** What is kept of one replica of a domain. */
  of(domain: string, url: string): ReplicaColumns;
  /** Notes steps that a query took from here, and steps that it had to ask for though they may be kept. */
  used(hits: number, misses: number): void;
  counts(): CacheCounts;
}

/** Steps are counted once for each fragment. */
export interface CacheCounts {
  readonly hits: number;
  readonly misses: number;
  readonly keptSteps: number;
  /** Steps that something late has changed, or a new policy. */
  readonly droppedSteps: number;
  readonly evictedSteps: number;
  /** In memory now, as far as that can be told. */
  readonly bytes: number;
}

/** Which column: the fragment and all that its values hang on, and the steps that it is about. */
export interface ColumnKey extends StepTimes {
  readonly text: string;
  readonly reads: readonly StepRead[];
}

/** By what an answer was made. */
export interface AsOf {
  readonly digest: string;
  readonly late: LateKnown;
}

export interface ReplicaColumns {
  /** All that is kept is right as of this. */
  readonly asOf: AsOf;
  /** What reads times before this may be gone from the domain: it was not held when the domain was last heard. */
  readonly heldFromMs: number;
  /** The parts of segments that are about these steps, in order. */
  find(key: ColumnKey, steps: Steps): readonly { readonly steps: Steps; readonly segment: Segment }[];
  /**
   * Takes in what a fresh answer says of changes since `asked`, under which policy, and from when on samples are held
   * (-Infinity for ever): what is wrong by that goes.
   */
  learn(asked: LateKnown, late: LateTold | undefined, digest: string, heldFromMs: number): void;
  /** Keeps a segment, unless something is known that came after it was made. Steps that are known stay as they are. */
  keep(key: ColumnKey, segment: Segment, asOf: AsOf): void;
}

/**
 * Steps that come and go together. A refresh lets one old step of a chunk go stale in vain, so a longer one holds more that
 * nobody asks for; a shorter one has the label sets again and again.
 */
const CHUNK_STEPS = 128;

/** A column and a chunk without what they hold. */
const COLUMN_BYTES = 400;
const CHUNK_BYTES = 300;

/** Told changes that are remembered, for answers that were under way when they were told. */
const TOLD_MAX = 32;

interface Chunk {
  readonly column: Column;
  readonly index: number;
  segments: readonly Segment[];
  bytes: number;
}

interface Column {
  readonly key: ColumnKey;
  readonly owner: Map<string, Column>;
  readonly chunks: Map<number, Chunk>;
}

/** Keeps `maxBytes` at most. */
export function openColumnsCache(maxBytes: number): ColumnsCache {
  const replicas = new Map<string, ReplicaColumns>();
  /** In the order in which they were used. */
  const chunks = new Set<Chunk>();
  let bytes = 0;
  const counts = { hits: 0, misses: 0, keptSteps: 0, droppedSteps: 0, evictedSteps: 0 };

  function touch(chunk: Chunk): void {
    chunks.delete(chunk);
    chunks.add(chunk);
  }

  function chunkOf(column: Column, index: number): Chunk {
    let chunk = column.chunks.get(index);
    if (chunk === undefined) {
      if (column.chunks.size === 0) bytes += bytesOfColumn(column);
      chunk = { column, index, segments: [], bytes: CHUNK_BYTES };
      bytes += CHUNK_BYTES;
      column.chunks.set(index, chunk);
      column.owner.set(column.key.text, column);
    }
    touch(chunk);
    return chunk;
  }

  function put(chunk: Chunk, segments: readonly Segment[]): void {
    if (segments.length === 0) return remove(chunk);
    const size = segments.reduce((sum, segment) => sum + bytesOfSegment(segment), CHUNK_BYTES);
    bytes += size - chunk.bytes;
    chunk.segments = segments;
    chunk.bytes = size;
  }

  function remove(chunk: Chunk): void {
    const { column } = chunk;
    chunks.delete(chunk);
    column.chunks.delete(chunk.index);
    bytes -= chunk.bytes;
    if (column.chunks.size > 0) return;
    bytes -= bytesOfColumn(column);
    column.owner.delete(column.key.text);
  }

  function evict(): void {
    for (const chunk of chunks) {
      if (bytes <= maxBytes) return;
      counts.evictedSteps += stepsIn(chunk.segments);
      remove(chunk);
    }
  }

  function openReplica(): ReplicaColumns {
    const columns = new Map<string, Column>();
    let asOf: AsOf = { digest: '', late: NOTHING_KNOWN };
    /** Changes that were told, all of them after `toldAfter`. */
    let told: readonly { readonly sequence: number; readonly intervals: readonly TimeRange[] }[] = [];
    let toldAfter = 0;
    let heldMs = -Infinity;

    function startAgain(late: LateKnown, digest: string): void {
      clear();
      asOf = { digest, late: { epoch: late.epoch, sequence: late.sequence } };
      told = [];
      toldAfter = late.sequence;
    }

    function clear(): void {
      for (const { chunks: own } of columns.values()) {
        for (const chunk of own.values()) {
          counts.droppedSteps += stepsIn(chunk.segments);
          remove(chunk);
        }
      }
    }

    function drop(intervals: readonly TimeRange[]): void {
      for (const { key, chunks: own } of columns.values()) {
        for (const chunk of own.values()) {
          const before = stepsIn(chunk.segments);
          const within = { from: chunk.index * CHUNK_STEPS, to: (chunk.index + 1) * CHUNK_STEPS };
          const gone = intervals.flatMap((interval) => stepsReading(interval, key.reads, key, within));
          const rest = gone.reduce(segmentsWithout, chunk.segments);
          const left = stepsIn(rest);
          if (left === before) continue;
          counts.droppedSteps += before - left;
          put(chunk, rest);
        }
      }
    }

    return {
      get asOf() {
        return asOf;
      },
      get heldFromMs() {
        return heldMs;
      },
      find({ text }, steps) {
        const column = columns.get(text);
        if (column === undefined) return [];
        const found: { steps: Steps; segment: Segment }[] = [];
        for (let index = chunkIndex(steps.from); index * CHUNK_STEPS < steps.to; index++) {
          const chunk = column.chunks.get(index);
          if (chunk === undefined) continue;
          touch(chunk);
          for (const segment of chunk.segments) {
            const from = Math.max(segment.from, steps.from);
            const to = Math.min(segment.to, steps.to);
            if (from < to) found.push({ steps: { from, to }, segment });
          }
        }
        return found;
      },
      learn(asked, late, digest, heldFromMs) {
        // Whoever uses a step looks whether all of it is held still; what was let go of once does not come back.
        if (heldFromMs < heldMs) drop([{ fromMs: -Infinity, toMs: heldMs - 1 }]);
        heldMs = heldFromMs;
        const isKnown = late !== undefined && late.epoch === asOf.late.epoch && digest === asOf.digest;
        if (!isKnown) return startAgain(late ?? NOTHING_KNOWN, digest);
        // To whoever knew nothing all is new: that is no news to those who know.
        if (asked.epoch !== late.epoch) return;
        if (late.everything) return startAgain(late, digest);
        drop(late.intervals);
        // What is left of a segment in parts takes more room.
        evict();
        // What changed before `asked` may be news here as well: that is left to the next answer.
        if (asked.sequence > asOf.late.sequence || late.sequence <= asOf.late.sequence) return;
        told = [...told, { sequence: late.sequence, intervals: late.intervals }];
        if (told.length > TOLD_MAX) toldAfter = told[0]!.sequence;
        told = told.slice(-TOLD_MAX);
        asOf = { digest, late: { epoch: late.epoch, sequence: late.sequence } };
      },
      keep(key, segment, { digest, late }) {
        if (digest !== asOf.digest || late.epoch !== asOf.late.epoch || late.epoch === '') return;
        // What was told before that is not remembered any more.
        if (late.sequence < toldAfter) return;
        const since = told.filter(({ sequence }) => sequence > late.sequence);
        const changed = since.flatMap(({ intervals }) => intervals);
        const gone = changed.flatMap((interval) => stepsReading(interval, key.reads, key, segment));
        const column = columns.get(key.text) ?? { key, owner: columns, chunks: new Map<number, Chunk>() };
        for (let index = chunkIndex(segment.from); index * CHUNK_STEPS < segment.to; index++) {
          const from = Math.max(segment.from, index * CHUNK_STEPS);
          const to = Math.min(segment.to, (index + 1) * CHUNK_STEPS);
          const known = column.chunks.get(index)?.segments ?? [];
          for (const free of stepsBeside({ from, to }, known)) {
            for (const own of gone.reduce(segmentsWithout, [partOf(segment, free)])) {
              const chunk = chunkOf(column, index);
              put(chunk, segmentsWith(chunk.segments, own));
              counts.keptSteps += own.to - own.from;
            }
          }
        }
        evict();
      },
    };
  }

  return {
    of(domain, url) {
      const name = JSON.stringify([domain, url]);
      let replica = replicas.get(name);
      if (replica === undefined) replicas.set(name, (replica = openReplica()));
      return replica;
    },
    used(hits, misses) {
      counts.hits += hits;
      counts.misses += misses;
    },
    counts: () => ({ ...counts, bytes }),
  };
}

function chunkIndex(step: number): number {
  return Math.floor(step / CHUNK_STEPS);
}

function stepsIn(segments: readonly Segment[]): number {
  return segments.reduce((steps, { from, to }) => steps + to - from, 0);
}

function bytesOfColumn({ key }: Column): number {
  return COLUMN_BYTES + 2 * key.text.length + 50 * key.reads.length;
}
