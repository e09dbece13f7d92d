import { labelValue, METRIC_NAME, type Labels } from '../model/labels.ts';
import type { Metadata, MetricType, SeriesExemplars } from '../model/batch.ts';
import type { Matcher } from '../model/matcher.ts';
import type { Refusal } from '../plan/frames/refusal-codec.ts';
import type { Policy } from './document.ts';
import { isWithheld, withheldCode } from './egress-class.ts';
import { selectedRules } from './selected-metrics.ts';

/** Whether a series may leave as it is: its metric is open and each of its labels may leave. Asked once a name. */
export function wholeSeriesTest(policy: Policy): (labels: Labels) => boolean {
  const permits = labelsTest(policy);
  const openNames = new Map<string, boolean>();
  return (labels) => {
    const name = labelValue(labels, METRIC_NAME);
    let isOpen = openNames.get(name);
    if (isOpen === undefined) openNames.set(name, (isOpen = policy.classOf(name) === 'open'));
    return isOpen && permits(labels);
  };
}

/** Whether each label of a set may leave. */
function labelsTest(policy: Policy): (labels: Labels) => boolean {
  const permitted = new Map<string, boolean>();
  const permits = (name: string): boolean => {
    let is = permitted.get(name);
    if (is === undefined) permitted.set(name, (is = policy.permitsLabel(name)));
    return is;
  };
  return (labels) => {
    for (let i = 0; i < labels.length; i += 2) if (!permits(labels[i]!)) return false;
    return true;
  };
}

/** What may leave of a series and its exemplars: those of whose own labels all may, of a series that may leave as it is. */
export function exemplarsOf(policy: Policy): (series: SeriesExemplars) => SeriesExemplars | undefined {
  const mayLeave = wholeSeriesTest(policy);
  const permits = labelsTest(policy);
  return ({ labels, exemplars }) => {
    const own = mayLeave(labels) ? exemplars.filter((one) => permits(one.labels)) : [];
    return own.length === 0 ? undefined : { labels, exemplars: own };
  };
}

/**
 * Why the series that a selector picks may not be told of: it spells out a metric that is not open, as a query for them
 * would be refused. One that spells out none is answered with what is open.
 */
export function checkSpeltOut(matchers: readonly Matcher[], policy: Policy): Refusal | undefined {
  for (const { metric, rule } of selectedRules({ matchers }, policy)) {
    if (metric === '' || rule.class === 'open') continue;
    return { code: isWithheld(rule.class) ? withheldCode(rule.class) : 'class_aggregate', name: metric };
  }
  return undefined;
}

/** Whether the policy may keep back series that the selectors pick: by names alone, whatever the domain holds. */
export function keepsBack(selectors: readonly (readonly Matcher[])[], policy: Policy): boolean {
  if (!policy.permitsAllLabels) return true;
  return selectors.some((matchers) => selectedRules({ matchers }, policy).some(({ rule }) => rule.class !== 'open'));
}

/** Whether metadata of a family may leave: something of each metric that it names may. */
export function familyTest(policy: Policy): (family: Metadata) => boolean {
  return ({ metric, type }) => SUFFIXES[type].every((suffix) => !isWithheld(policy.classOf(metric + suffix)));
}

const HISTOGRAM = ['', '_bucket', '_count', '_sum'];

/** What the names of a family's metrics end with beyond its own. */
const SUFFIXES: Readonly<Record<MetricType, readonly string[]>> = {
  counter: ['', '_total'],
  gauge: [''],
  histogram: HISTOGRAM,
  gaugehistogram: [...HISTOGRAM, '_gcount', '_gsum'],
  summary: ['', '_count', '_sum'],
  info: ['', '_info'],
  stateset: [''],
  // It may be any of them.
  unknown: [...HISTOGRAM, '_gcount', '_gsum', '_total', '_info'],
};
