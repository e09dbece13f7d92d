import { LIMITS } from '../../base/limits.ts';
import type { SeriesHandle } from '../../model/batch.ts';
import type { HistogramLayout } from '../../model/histogram.ts';
import { byteTable, type ByteTable } from '../byte-table.ts';
import type { ClassicSeries } from './classic-histogram.ts';
import type { MetricFamily } from './family.ts';
import type { ResourceContext } from './resource.ts';

/**
 * What requests have in common, by the bytes that it was made of. `elements` are the messages and list elements in those
 * bytes, which count towards the bound of a request whether they are decoded or not.
 */
export interface MetricCaches {
  readonly resources: ByteTable<CachedResource>;
  /** By the bytes of a metric before its points; the salt holds what stands behind them. */
  readonly families: ByteTable<CachedFamily>;
  /** By the bytes of a point's attributes; the salt is mixed from the ids of resource and family. */
  readonly points: ByteTable<CachedPoint>;
  /** The same for explicit histograms, whose bounds are in the salt too. */
  readonly classics: ByteTable<CachedClassic>;
  readonly bounds: ByteTable<CachedBounds>;
  /** Parts of a request that nothing is made of: well-formed they are, or they would not be here. */
  readonly checked: ByteTable<number>;
  /** A number that no resource, family or bounds had before. */
  nextId(): number;
  /** Series in `classics` so far, of which some may be gone. */
  classicSeries: number;
  /** Rows of the request before, and likely of the next. */
  lastRows: number;
}

export interface CachedResource {
  readonly id: number;
  readonly context: ResourceContext;
  readonly elements: number;
}

export interface CachedFamily {
  readonly id: number;
  readonly family: MetricFamily;
  readonly elements: number;
}

/** The series of a point. Salts may meet: it is that of the point at hand only if resource and family are. */
export interface CachedPoint {
  readonly resource: CachedResource;
  readonly family: CachedFamily;
  readonly handle: SeriesHandle;
  readonly elements: number;
  /** Of its last native histogram. */
  layout: HistogramLayout | undefined;
}

export interface CachedClassic {
  readonly resource: CachedResource;
  readonly family: CachedFamily;
  readonly bounds: CachedBounds;
  readonly series: ClassicSeries;
  readonly elements: number;
}

/** Bounds of explicit histograms, which are in order. */
export interface CachedBounds {
  readonly id: number;
  /** Without +Inf. */
  readonly finite: Float64Array;
  /** With +Inf, if it was sent. */
  readonly sent: number;
}

/**
 * Series of explicit histograms that are kept, each some 250 bytes: a few bytes on the wire can make five hundred, so that
 * the bytes of the keys alone do not bound them.
 */
const CLASSIC_SERIES = 1_000_000;

export function metricCaches(): MetricCaches {
  const total = LIMITS.seriesCacheBytes;
  let lastId = 0;
  return {
    resources: byteTable(total / 16),
    families: byteTable(total / 16),
    points: byteTable(total / 2),
    classics: byteTable(total / 4),
    bounds: byteTable(total / 16),
    checked: byteTable(total / 16),
    nextId: () => ++lastId,
    classicSeries: 0,
    lastRows: 0,
  };
}

/** Whether the caches have to be made anew before the next request. */
export function isWornOut(caches: MetricCaches): boolean {
  return caches.classicSeries > CLASSIC_SERIES;
}

/** Any 32 bits of two ids. */
export function saltOf(a: number, b: number): number {
  return Math.imul(a, 0x9e3779b1) ^ Math.imul(b + 1, 0x85ebca6b);
}
