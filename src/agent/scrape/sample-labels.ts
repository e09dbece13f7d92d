import { ComityError } from '../../base/errors.ts';
import { labelNames, labelValue, METRIC_NAME, type Labels } from '../../model/labels.ts';
import { labelEdits, relabel } from '../../model/relabel.ts';
import type { ExposedSeries } from '../../wire/scrape/exposition.ts';
import type { ScrapeJob } from './job.ts';

type LabelRules = Pick<
  ScrapeJob,
  'honorLabels' | 'metricRelabel' | 'labelLimit' | 'labelNameBytes' | 'labelValueBytes'
>;

/**
 * The labels of an exposed series with those of its target, relabelled; undefined when relabelling drops it. A label that
 * both have is the target's, and the exposed one moves to `exported_<name>`, unless the job honours exposed labels: then
 * the exposed one stays, and one with an empty value keeps the target's out.
 * Throws `bad_data` for labels that fail the scrape: no metric name, an empty label name, a limit of the job.
 */
export function sampleLabels(
  series: Pick<ExposedSeries, 'labels' | 'emptyNames'>,
  target: Labels,
  job: LabelRules,
): Labels | undefined {
  const exposed = series.labels();
  const honoured = job.honorLabels ? [...labelNames(exposed), ...series.emptyNames()] : [];
  const edits = labelEdits(exposed);
  const displaced: [name: string, value: string][] = [];
  for (let i = 0; i < target.length; i += 2) {
    const name = target[i]!;
    if (honoured.includes(name)) continue;
    const own = labelValue(exposed, name);
    if (own !== '') displaced.push([name, own]);
    edits.set(name, target[i + 1]!);
  }
  // The shortest name first: where two would move to the same name, that one gets it.
  displaced.sort(([a], [b]) => Buffer.byteLength(a) - Buffer.byteLength(b));
  for (const [name, value] of displaced) {
    let free = `exported_${name}`;
    while (edits.get(free) !== '') free = `exported_${free}`;
    edits.set(free, value);
  }
  if (!relabel(edits, job.metricRelabel)) return undefined;

  const labels = edits.labels();
  if (labels.length === 0) return undefined;
  checkLabels(labels, job);
  return labels;
}

/** The labels of a metric about the scrape itself. */
export function reportLabels(metric: string, target: Labels): Labels {
  const edits = labelEdits(target);
  edits.set(METRIC_NAME, metric);
  return edits.labels();
}

function checkLabels(labels: Labels, { labelLimit, labelNameBytes, labelValueBytes }: LabelRules): void {
  const metric = labelValue(labels, METRIC_NAME);
  if (metric === '') throw refused('a series has no metric name after metric_relabel_configs', labels);
  const count = labels.length / 2;
  if (labelLimit > 0 && count > labelLimit) {
    throw refused(`a series has ${count} labels, label_limit is ${labelLimit}`, labels);
  }
  for (let i = 0; i < labels.length; i += 2) {
    const name = labels[i]!;
    if (name === '') throw refused('a series has an empty label name after metric_relabel_configs', labels);
    if (labelNameBytes > 0 && Buffer.byteLength(name) > labelNameBytes) {
      throw refused(
        `the label name ${shown(name)} is longer than label_name_length_limit, ${labelNameBytes} bytes`,
        labels,
      );
    }
    if (labelValueBytes > 0 && Buffer.byteLength(labels[i + 1]!) > labelValueBytes) {
      throw refused(
        `the value of ${shown(name)} is longer than label_value_length_limit, ${labelValueBytes} bytes`,
        labels,
      );
    }
  }
}

function refused(problem: string, labels: Labels): ComityError {
  return new ComityError('bad_data', `${problem} (metric: ${shown(labelValue(labels, METRIC_NAME))})`);
}

function shown(text: string): string {
  return JSON.stringify(text.length > 50 ? `${text.slice(0, 50)}…` : text);
}
