import type { Stream } from '../../model/stream.ts';
import { labelsKey } from '../../model/labels.ts';
import { seriesHandle, type SeriesHandle } from '../../model/batch.ts';
import { valueText } from './any-value.ts';
import { namedLabels, seriesLabels, type ResourceLabels } from './attributes.ts';
import type { Resource } from './messages.ts';
import { labelName } from './names.ts';
import type { TranslateOptions } from './translation.ts';

/** Everything that is made of a resource, once. */
export interface ResourceContext {
  readonly labels: ResourceLabels;
  /** Undefined where nobody would look for it: see `infoSeries`. */
  readonly info: InfoSeries | undefined;
  /** What to tell the sender when `target_info` had to be left out. */
  readonly warning: string | undefined;
  readonly stream: Stream;
  /** Equal for equal streams only. */
  readonly streamKey: string;
}

/** The series `target_info` of a resource. */
export interface InfoSeries {
  readonly handle: SeriesHandle;
  /** Equal for equal label sets only. */
  readonly key: string;
}

/** Enough to break any question down by service, environment and region without a join to `target_info`. */
export const DEFAULT_PROMOTED: readonly string[] = [
  'service.name',
  'service.namespace',
  'deployment.environment.name',
  'cloud.region',
];

/** `promote`: the attributes that become labels of every series of the resource. */
export function resourceContext(
  resource: Resource | undefined,
  options: TranslateOptions,
  promote: readonly string[],
): ResourceContext {
  const values = resourceValues(resource);
  const promoted = new Map<string, string>();
  for (const key of promote) {
    const name = labelName(key);
    const value = values.get(key);
    if (name !== undefined && value !== undefined) promoted.set(name, value);
  }
  const stream = streamOfValues(values);
  const labels = { ...stream, promoted, domain: options.domain, domainLabel: options.domainLabel };
  let warning: string | undefined;
  const info = infoSeries(resource, labels, options, (reason, detail) => {
    warning = `target_info left out: ${reason} (${detail})`;
  });
  return { labels, info, warning, stream, streamKey: JSON.stringify([stream.job, stream.instance]) };
}

/** The attributes of a resource as text. */
export function resourceValues(resource: Resource | undefined): Map<string, string> {
  const values = new Map<string, string>();
  for (const { key, value } of resource?.attributes ?? []) values.set(key, valueText(value));
  return values;
}

/** The identity that Prometheus would scrape a producer under, from attributes as text. */
export function streamOfValues(values: ReadonlyMap<string, string>): Stream {
  const service = values.get('service.name');
  const namespace = values.get('service.namespace');
  const job = service === undefined ? '' : namespace === undefined ? service : `${namespace}/${service}`;
  return { job, instance: values.get('service.instance.id') ?? '' };
}

/** The attributes that `job` and `instance` are made of. */
export const IDENTIFYING: ReadonlySet<string> = new Set(['service.namespace', 'service.name', 'service.instance.id']);

const NOTHING_PROMOTED: ReadonlyMap<string, string> = new Map();

/** Undefined when nothing identifies the resource or nothing else is known of it: then a join would be of no use. */
function infoSeries(
  resource: Resource | undefined,
  labels: ResourceLabels,
  options: TranslateOptions,
  reject: (reason: string, detail: string) => void,
): InfoSeries | undefined {
  const attributes = resource?.attributes ?? [];
  if (attributes.every(({ key }) => IDENTIFYING.has(key))) return undefined;
  // Promoted attributes are among the resource's own already.
  const own = seriesLabels(attributes, { ...labels, promoted: NOTHING_PROMOTED }, 1, reject, IDENTIFYING);
  if (own === undefined) return undefined;
  const identified = own.some((name, i) => i % 2 === 0 && (name === 'job' || name === 'instance'));
  if (!identified) return undefined;
  const handle = seriesHandle(options.admission.series(namedLabels(own, 'target_info')));
  return { handle, key: labelsKey(handle.labels) };
}
