import { OTLP_LIMITS } from './bounds.ts';
import type { PointKind } from './family.ts';
import { UNUSUAL } from './fields.ts';
import type { Intake } from './intake.ts';
import type { CachedFamily, CachedResource, MetricCaches } from './metric-caches.ts';
import type { PointContext } from './point-context.ts';
import { EXPONENTIAL_POINT, HISTOGRAM_POINT, NUMBER_POINT, SUMMARY_POINT, type MessageSchema } from './schema.ts';
import type { MetricsOptions } from './translate.ts';

/** A walk over the bytes of one request for metrics. */
export interface PointWalk {
  readonly bytes: Uint8Array;
  /** Over the same bytes. */
  readonly view: DataView;
  readonly options: MetricsOptions;
  readonly promote: readonly string[];
  readonly caches: MetricCaches;
  readonly intake: Intake;
  /** Messages and list elements so far. */
  elements: number;
}

/** As `PointContext`, with what identifies its parts in the caches. */
export interface BytesContext extends PointContext {
  readonly cachedResource: CachedResource;
  readonly cachedFamily: CachedFamily;
}

/** Counts messages and list elements. Past their bound the decoder of whole requests has to say so. */
export function count(walk: { elements: number }, elements: number): void {
  walk.elements += elements;
  if (walk.elements > OTLP_LIMITS.elements) throw UNUSUAL;
}

/** How deep points are nested in a request. */
export const POINT_DEPTH = 5;

export const POINT_SCHEMAS: Readonly<Record<PointKind, MessageSchema>> = {
  gauge: NUMBER_POINT,
  sum: NUMBER_POINT,
  histogram: HISTOGRAM_POINT,
  exponential: EXPONENTIAL_POINT,
  summary: SUMMARY_POINT,
};

/** A 64-bit integer without sign as the nearest float. */
export function unsigned64At(view: DataView, at: number): number {
  return view.getUint32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}

/** A 64-bit integer with a sign as the nearest float. */
export function signed64At(view: DataView, at: number): number {
  return view.getInt32(at + 4, true) * 2 ** 32 + view.getUint32(at, true);
}

/** A time in nanoseconds as whole milliseconds, exactly: 2^32 is 4294 * 10^6 + 967296. */
export function millisAt(view: DataView, at: number): number {
  const high = view.getUint32(at + 4, true);
  return high * 4294 + Math.floor((high * 967_296 + view.getUint32(at, true)) / 1_000_000);
}

/** The start at `at`, -1 where none was sent; 0 where it is not known. */
export function startMillisAt(view: DataView, at: number): number {
  return at < 0 ? 0 : millisAt(view, at);
}
