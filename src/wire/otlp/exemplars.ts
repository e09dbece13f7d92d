import { LIMITS } from '../../base/limits.ts';
import { labelsFrom, type Labels } from '../../model/labels.ts';
import { valueText } from './any-value.ts';
import type { Exemplar } from './messages.ts';
import { nanosToMs } from './numbers.ts';
import type { PointContext, PointTimes } from './point-context.ts';

/**
 * Adds the exemplars of a point to its series. Their labels are the trace's id, the span's id and the attributes that the
 * metric does not have, under the attributes' own keys, as Prometheus's receiver has them. An exemplar is never worth a
 * point, so one that cannot be stored is left out with a warning.
 */
export function addExemplars(
  context: PointContext,
  series: number,
  times: PointTimes,
  exemplars: readonly Exemplar[],
): void {
  for (const exemplar of exemplars) addExemplar(context, series, times, exemplar);
}

export function addExemplar(context: PointContext, series: number, times: PointTimes, exemplar: Exemplar): void {
  // The end of a series has nothing to give an example of.
  if (times.stale) return;
  const { builder, rejected, futureEndMs } = context.intake;
  const value = exemplarValue(exemplar);
  if (value === undefined) {
    rejected.warn(`exemplar left out: no value (${context.family.shownName})`);
    return;
  }
  const timeMs = exemplar.timeUnixNano === 0n ? times.timeMs : nanosToMs(exemplar.timeUnixNano);
  if (timeMs > futureEndMs) {
    rejected.warn(`exemplar left out: more than ${LIMITS.futureMs} ms ahead (${context.family.shownName})`);
    return;
  }
  const labels = context.admission.exemplar(exemplarLabels(exemplar));
  builder.exemplar({ series, timeMs, value, labels });
}

/** The value of an exemplar; undefined where it has none. */
export function exemplarValue(exemplar: Exemplar): number | undefined {
  const value = exemplar.asDouble ?? exemplar.asInt;
  return value === undefined ? undefined : Number(value);
}

/** The attributes are left out where they would not fit. */
function exemplarLabels(exemplar: Exemplar): Labels {
  const pairs: [string, string][] = [];
  if (isId(exemplar.traceId, 32)) pairs.push(['trace_id', exemplar.traceId]);
  if (isId(exemplar.spanId, 16)) pairs.push(['span_id', exemplar.spanId]);
  const own = pairs.length;
  let bytes = 0;
  for (const [name, value] of pairs) bytes += name.length + value.length;
  for (const { key, value } of exemplar.filteredAttributes) {
    const text = valueText(value);
    bytes += Buffer.byteLength(key) + Buffer.byteLength(text);
    if (bytes > LIMITS.exemplarLabelBytes) return labelsFrom(pairs.slice(0, own));
    pairs.push([key, text]);
  }
  return labelsFrom(pairs);
}

/** An id of zeros only is none. */
function isId(id: string, digits: number): boolean {
  return id.length === digits && /[^0]/.test(id);
}
