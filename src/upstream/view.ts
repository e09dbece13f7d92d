import { labelValue, METRIC_NAME, withDomainLabel, type Labels } from '../model/labels.ts';
import { matcherTest, type Matcher } from '../model/matcher.ts';

/**
 * The federation's view of the server's series: each with the domain label, a label of that name of its own moved out of
 * the way, as where telemetry is received.
 */
export interface View {
  readonly domain: string;
  readonly domainLabel: string;
}

/** A selector on the server, for the part of its series that have no domain label of their own. */
export interface PlainSelector {
  readonly matchers: readonly Matcher[];
  /** Whether a matcher on the domain label means another domain, so that nothing here is meant. */
  readonly isElsewhere: boolean;
}

/** What a selector of the view is for the series without a domain label of their own, which lack nothing but that. */
export function plainSelector(matchers: readonly Matcher[], { domain, domainLabel }: View): PlainSelector {
  const others = matchers.filter(({ name }) => name !== domainLabel);
  const isElsewhere = matchers.some((matcher) => matcher.name === domainLabel && !matcherTest(matcher)(domain));
  const none: Matcher = { name: domainLabel, op: '=', value: '' };
  return { matchers: asked([...others, none]), isElsewhere };
}

/** The matchers that find those with a domain label of their own among what may be meant. */
export function ownLabelSelector(matchers: readonly Matcher[], view: View): readonly Matcher[] {
  return [...coarse(matchers, view), { name: view.domainLabel, op: '!=', value: '' }];
}

/** Matchers on the server that find all series that `matchers` find in the view, and perhaps more: see `inView`. */
export function coarseSelector(matchers: readonly Matcher[], view: View): readonly Matcher[] {
  return asked(coarse(matchers, view));
}

/** The label set in the view; undefined where the matchers do not find it there. */
export function inView(labels: Labels, matchers: readonly Matcher[], view: View): Labels | undefined {
  const seen = withDomainLabel(labels, view.domainLabel, view.domain);
  return matchers.every((matcher) => matcherTest(matcher)(labelValue(seen, matcher.name))) ? seen : undefined;
}

/** Whether a matcher on this label says something else on the server than in the view. */
export function isMoved(name: string, { domainLabel }: View): boolean {
  return name.endsWith(domainLabel) && /^(?:exported_)*$/.test(name.slice(0, name.length - domainLabel.length));
}

function coarse(matchers: readonly Matcher[], view: View): readonly Matcher[] {
  return matchers.filter(({ name }) => !isMoved(name, view));
}

/** A server wants at least one matcher that the empty text does not satisfy. */
function asked(matchers: readonly Matcher[]): readonly Matcher[] {
  if (matchers.some((matcher) => !matcherTest(matcher)(''))) return matchers;
  return [{ name: METRIC_NAME, op: '!=', value: '' }, ...matchers];
}
