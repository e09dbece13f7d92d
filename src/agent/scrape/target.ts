import { ComityError } from '../../base/errors.ts';
import type { Labels } from '../../model/labels.ts';
import { labelEdits, relabel } from '../../model/relabel.ts';
import { parseDuration, printDuration } from '../../promql/duration.ts';
import type { HistogramOptions, ScrapeJob } from './job.ts';

/** One place to scrape, after relabelling. */
export interface Target {
  /** Equal for targets that are the same one found twice, and only for those. */
  readonly key: string;
  /** Before relabelling. */
  readonly discovered: Labels;
  /** What its series are labelled with. */
  readonly labels: Labels;
  readonly url: string;
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly histograms: HistogramOptions;
}

const ADDRESS = '__address__';
const SCHEME = '__scheme__';
const PATH = '__metrics_path__';
const INTERVAL = '__scrape_interval__';
const TIMEOUT = '__scrape_timeout__';
const PARAM_PREFIX = '__param_';
const META_PREFIX = '__meta_';
const RESERVED_PREFIX = '__';

const NATIVE = '__scrape_native_histograms__';
const KEEP_CLASSIC = '__always_scrape_classic_histograms__';
const TO_CUSTOM_BUCKETS = '__convert_classic_histograms_to_nhcb__';

/**
 * The target at an address after the job's relabelling (Prometheus 3.15, scrape/target.go); `dropped` when that drops it.
 * Throws `bad_config` when what comes out cannot be scraped.
 */
export function makeTarget(
  job: ScrapeJob,
  address: string,
  groupLabels: Readonly<Record<string, string>>,
): Target | { readonly dropped: Labels } {
  const edits = labelEdits();
  edits.set(ADDRESS, address);
  for (const [name, value] of Object.entries(groupLabels)) if (name !== ADDRESS) edits.set(name, value);
  for (const [name, value] of Object.entries(jobLabels(job))) if (edits.get(name) === '') edits.set(name, value);
  const discovered = edits.labels();
  if (!relabel(edits, job.relabel)) return { dropped: discovered };

  const host = edits.get(ADDRESS);
  if (host === '') throw new ComityError('bad_config', `no ${ADDRESS} is left after relabelling`);
  checkAddress(host);
  const intervalMs = period(edits.get(INTERVAL), INTERVAL);
  const timeoutMs = period(edits.get(TIMEOUT), TIMEOUT);
  if (timeoutMs > intervalMs) {
    throw new ComityError(
      'bad_config',
      `${TIMEOUT} (${edits.get(TIMEOUT)}) is longer than ${INTERVAL} (${edits.get(INTERVAL)})`,
    );
  }
  const histograms = {
    native: flag(edits.get(NATIVE), NATIVE, job.histograms.native),
    keepClassic: flag(edits.get(KEEP_CLASSIC), KEEP_CLASSIC, job.histograms.keepClassic),
    toCustomBuckets: flag(edits.get(TO_CUSTOM_BUCKETS), TO_CUSTOM_BUCKETS, job.histograms.toCustomBuckets),
  };
  if (edits.get('instance') === '') edits.set('instance', host);

  const url = targetUrl(edits.pairs(), edits.get(SCHEME), host, edits.get(PATH), job.params);
  const all = edits.labels();
  const kept = filterNames(all, (name) => !name.startsWith(META_PREFIX));
  const labels = filterNames(all, (name) => name !== '' && !name.startsWith(RESERVED_PREFIX));
  return { key: JSON.stringify([url, kept]), discovered, labels, url, intervalMs, timeoutMs, histograms };
}

/** Throws `bad_config` for a URL in the place of an address. */
export function checkAddress(address: string): void {
  // What may be a password is not said back.
  if (address.includes('@')) {
    throw new ComityError(
      'bad_config',
      "a target's address is host:port, without a user or a password: those are basic_auth",
    );
  }
  if (!address.includes('/')) return;
  throw new ComityError(
    'bad_config',
    `${JSON.stringify(address)} is no host:port; the scheme and the path of targets are fields of their own`,
  );
}

/** Where in its interval a target is scraped, in [0, intervalMs): spread, and the same after every start. */
export function scrapeOffsetMs(target: Target, seed: string): number {
  return Math.floor((hash32(`${seed}\n${target.key}`) / 2 ** 32) * target.intervalMs);
}

/** FNV-1a, with its bits mixed once more: targets of one group differ in a few characters only. */
function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function jobLabels(job: ScrapeJob): Record<string, string> {
  const labels: Record<string, string> = {
    job: job.name,
    [INTERVAL]: printDuration(job.intervalMs),
    [TIMEOUT]: printDuration(job.timeoutMs),
    [PATH]: job.metricsPath,
    [SCHEME]: job.scheme,
    [NATIVE]: String(job.histograms.native),
    [KEEP_CLASSIC]: String(job.histograms.keepClassic),
    [TO_CUSTOM_BUCKETS]: String(job.histograms.toCustomBuckets),
  };
  for (const [name, [first]] of Object.entries(job.params))
    if (first !== undefined) labels[PARAM_PREFIX + name] = first;
  return labels;
}

function period(text: string, label: string): number {
  let ms = 0;
  try {
    ms = parseDuration(text);
  } catch (error) {
    throw new ComityError('bad_config', `${label}: ${(error as Error).message}`);
  }
  if (ms === 0) throw new ComityError('bad_config', `${label} must not be 0`);
  return ms;
}

const TRUE = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const FALSE = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);

function flag(text: string, label: string, fallback: boolean): boolean {
  if (text === '') return fallback;
  if (TRUE.has(text)) return true;
  if (FALSE.has(text)) return false;
  throw new ComityError('bad_config', `${label} must be true or false, not ${JSON.stringify(text)}`);
}

/** A parameter's label stands in for the first of its values. */
function targetUrl(
  labels: readonly (readonly [string, string])[],
  scheme: string,
  host: string,
  path: string,
  params: ScrapeJob['params'],
): string {
  const values = new Map(Object.entries(params).map(([name, all]) => [name, [...all]]));
  for (const [label, value] of labels) {
    if (!label.startsWith(PARAM_PREFIX)) continue;
    const name = label.slice(PARAM_PREFIX.length);
    values.set(name, [value, ...(values.get(name) ?? []).slice(1)]);
  }
  const query = new URLSearchParams();
  for (const name of [...values.keys()].sort()) for (const value of values.get(name)!) query.append(name, value);
  const search = query.toString();
  return `${scheme}://${host}${escapePath(path)}${search === '' ? '' : `?${search}`}`;
}

/** A path is taken as it is, "%41" and line breaks too: a `URL` would interpret the one and drop the other. */
function escapePath(path: string): string {
  if (path === '') return '';
  const escaped = encodeURIComponent(path.toWellFormed()).replaceAll(
    /%(?:24|26|2B|2C|2F|3A|3B|3D|40)/g,
    decodeURIComponent,
  );
  return escaped.startsWith('/') ? escaped : `/${escaped}`;
}

function filterNames(labels: Labels, keep: (name: string) => boolean): Labels {
  return labels.filter((_, i) => keep(labels[i - (i % 2)]!));
}
