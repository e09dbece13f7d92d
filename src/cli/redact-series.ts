import type { Admission } from '../model/admission.ts';
import type { Metadata } from '../model/batch.ts';
import { labelsKey, labelsText, METRIC_NAME, withDomainLabel, type Labels } from '../model/labels.ts';
import type { CountedAdmission } from '../policy/admit.ts';
import type { ExportMetricsServiceRequest } from '../wire/otlp/messages.ts';
import { translateMetrics } from '../wire/otlp/translate.ts';
import { parseExposition } from '../wire/scrape/exposition.ts';
import type { Change } from './redact-diff.ts';

/** What admission makes of series, their exemplars and what is said of their families. */
export interface RedactedSeries {
  readonly changes: readonly Change[];
  readonly stored: {
    readonly series: readonly Labels[];
    readonly exemplars: readonly Labels[];
    readonly metadata: readonly Metadata[];
  };
  /** Data points that no agent would take. */
  readonly rejected: number;
}

/** Where what is read would be received. */
export interface SeriesPlace {
  readonly domain: string;
  readonly domainLabel: string;
  readonly admission: CountedAdmission;
}

export function redactMetrics(request: ExportMetricsServiceRequest, place: SeriesPlace): RedactedSeries {
  const watched = watch(place.admission);
  const translation = translateMetrics(request, { ...place, admission: watched.admission }, Date.now());
  for (const family of translation.build().metadata) watched.metadata(family);
  return watched.redacted(translation.rejected.count);
}

/** `contentType` names the format; text without one. */
export function redactExposition(
  body: Uint8Array,
  contentType: string | undefined,
  place: SeriesPlace,
): RedactedSeries {
  const watched = watch(place.admission);
  const families = new Map<string, Metadata>();
  const seen = (labels: Labels): void => {
    watched.admission.series(withDomainLabel(labels, place.domainLabel, place.domain));
  };
  parseExposition(
    body,
    contentType,
    { keepClassic: false, toCustomBuckets: false, fallback: 'text/plain' },
    {
      sample: (series) => seen(series.labels()),
      histogram: (series) => seen(series.labels()),
      exemplar: (labels) => void watched.admission.exemplar(labels),
      metadata: (family) => void families.set(family.metric, family),
    },
  );
  for (const family of families.values()) watched.metadata(family);
  return watched.redacted(0);
}

/** An admission that remembers what it was asked and what it said, each label set once. */
function watch(admission: CountedAdmission) {
  const changes: Change[] = [];
  const series: Labels[] = [];
  const exemplars: Labels[] = [];
  const families: Metadata[] = [];
  const known = new Set<string>();
  const watching: Admission = {
    series(labels) {
      const stored = admission.series(labels);
      const key = labelsKey(labels);
      if (known.has(key)) return stored;
      known.add(key);
      series.push(stored);
      changes.push({ place: '', said: seriesText(labels), stored: seriesText(stored) });
      return stored;
    },
    exemplar(labels) {
      const stored = admission.exemplar(labels);
      if (stored.length > 0) exemplars.push(stored);
      if (labels.length > 0) {
        changes.push({
          place: 'exemplar',
          said: labelsText(labels),
          stored: stored.length > 0 ? labelsText(stored) : undefined,
        });
      }
      return stored;
    },
    attribute: (key, value) => admission.attribute(key, value),
  };
  return {
    admission: watching,
    metadata(family: Metadata) {
      const stored = admission.metadata(family);
      if (stored !== undefined) families.push(stored);
      changes.push({ place: 'family', said: familyText(family), stored: stored && familyText(stored) });
    },
    redacted: (rejected: number): RedactedSeries => ({
      changes,
      stored: { series, exemplars, metadata: families },
      rejected,
    }),
  };
}

/** With the name before the braces where no mark is needed around it. */
function seriesText(labels: Labels): string {
  const at = labels.indexOf(METRIC_NAME);
  const name = at >= 0 && at % 2 === 0 ? (labels[at + 1] ?? '') : '';
  if (!/^[A-Za-z_:][\w:]*$/.test(name)) return labelsText(labels);
  const rest = labels.filter((_, i) => i !== at && i !== at + 1);
  return rest.length === 0 ? name : `${name}${labelsText(rest)}`;
}

function familyText({ metric, type, unit, help }: Metadata): string {
  return [
    JSON.stringify(metric),
    type,
    ...(unit === '' ? [] : [`unit ${JSON.stringify(unit)}`]),
    JSON.stringify(help),
  ].join(' ');
}
