import { toComityError } from '../base/errors.ts';
import { LIMITS } from '../base/limits.ts';
import type { Metadata, SeriesExemplars } from '../model/batch.ts';
import type { Labels } from '../model/labels.ts';
import type { Matcher } from '../model/matcher.ts';
import type { ExemplarsQuery } from '../plan/frames/exemplars-codec.ts';
import type { LabelsRequest } from '../plan/frames/labels-codec.ts';
import type { MetadataQuery } from '../plan/frames/metadata-codec.ts';
import type { Refusal } from '../plan/frames/refusal-codec.ts';
import type { SeriesQuery } from '../plan/frames/series-codec.ts';
import { checkInForce, checkMatchers } from '../policy/check.ts';
import { DETECTORS } from '../policy/detectors.ts';
import type { Policy } from '../policy/document.ts';
import { checkSpeltOut, exemplarsOf, familyTest, keepsBack, wholeSeriesTest } from '../policy/whole-series.ts';
import type { DomainData } from './domain-data.ts';
import type { Listed } from './list-data.ts';
import type { Refused } from './request.ts';

/** What a list is decided by. */
export interface Listing {
  readonly policy: Policy;
  readonly data: Pick<DomainData, 'labels' | 'series' | 'metadata' | 'exemplars'>;
}

/** `isSelective`: whether the policy may keep some back, whatever there is. */
type Some<T> = Listed<T> & { readonly isSelective: boolean };

/** Whether a request for labels asks for what may leave. */
export function checkLabelsQuery({ name, selectors }: LabelsRequest, policy: Policy): Refusal | undefined {
  const denied = checkInForce(policy);
  if (denied !== undefined) return denied;
  if (name !== '' && !policy.permitsLabel(name)) return { code: 'label_not_permitted', name };
  return checkSelectors(selectors, policy);
}

/** Label names or the values of one label, as far as the policy permits them, of metrics that may be listed. */
export function listLabels(
  query: LabelsRequest,
  { policy, data }: Listing,
  signal: AbortSignal,
): Promise<Listed<string> | Refused> {
  const limit = Math.min(query.limit || LIMITS.labelValues, LIMITS.labelValues);
  return answered(async () => {
    const found = await data.labels({ ...query, limit, deadlineMs: Date.now() + LIMITS.answerMs }, signal);
    return { found: query.name === '' ? found.filter((one) => policy.permitsLabel(one)) : found, isCut: false };
  });
}

/**
 * Whether a hub may be told of series. A selector that spells out a metric that is not open is refused as a query for its
 * series would be.
 */
export function checkSeriesQuery({ selectors }: SeriesQuery, policy: Policy): Refusal | undefined {
  return (
    checkSelectors(selectors, policy) ??
    selectors.map((matchers) => checkSpeltOut(matchers, policy)).find((one) => one !== undefined)
  );
}

/**
 * The series that a hub may be told of: those of open metrics all of whose labels may leave. The answer says by the policy
 * alone that there may be more.
 */
export function listSeries(
  query: SeriesQuery,
  { policy, data }: Listing,
  signal: AbortSignal,
): Promise<Some<Labels> | Refused> {
  const { selectors, fromMs, toMs } = query;
  const limit = Math.min(query.limit || LIMITS.rowsPerAnswer, LIMITS.rowsPerAnswer);
  return answered(async () => {
    const question = { selectors, fromMs, toMs, limit, deadlineMs: deadlineOf(query) };
    const { found, isCut } = await data.series(question, signal);
    const fitting = fit(found.filter(wholeSeriesTest(policy)), labelsBytes, limit);
    return { found: fitting.found, isCut: isCut || fitting.isCut, isSelective: keepsBack(selectors, policy) };
  });
}

/**
 * What is known of metric families of which something may leave: type, unit and help. The texts are the senders' words, so
 * one in which a detector finds data stays here.
 */
export function listMetadata(
  query: MetadataQuery,
  { policy, data }: Listing,
  signal: AbortSignal,
): Promise<Listed<Metadata> | Refused> {
  const limit = Math.min(query.limit || LIMITS.metadataFamilies, LIMITS.metadataFamilies);
  return answered(async () => {
    const question = { metric: query.metric, limit, deadlineMs: deadlineOf(query) };
    const { found, isCut } = await data.metadata(question, signal);
    const fitting = fit(found.filter(familyTest(policy)).map(withoutData), familyBytes, limit);
    return { found: fitting.found, isCut: isCut || fitting.isCut };
  });
}

/**
 * Exemplars of series that a hub may be told of, those of whose own labels all may leave. None is refused for its metric: a
 * panel asks for them beside every query, whose own answer says what the policy does not let out.
 */
export function listExemplars(
  query: ExemplarsQuery,
  { policy, data }: Listing,
  signal: AbortSignal,
): Promise<Some<SeriesExemplars> | Refused> {
  const { selectors, fromMs, toMs } = query;
  return answered(async () => {
    const { found, isCut } = await data.exemplars({ selectors, fromMs, toMs, deadlineMs: deadlineOf(query) }, signal);
    const mayLeave = exemplarsOf(policy);
    const fitting = fit(
      found.flatMap((series) => mayLeave(series) ?? []),
      exemplarsBytes,
      LIMITS.exemplars,
      ({ exemplars }) => exemplars.length,
    );
    return { found: fitting.found, isCut: isCut || fitting.isCut, isSelective: keepsBack(selectors, policy) };
  });
}

/** Whether selectors match on what may be matched on. */
export function checkSelectors(selectors: readonly (readonly Matcher[])[], policy: Policy): Refusal | undefined {
  return (
    checkInForce(policy) ??
    selectors.map((matchers) => checkMatchers(matchers, policy)).find((refusal) => refusal !== undefined)
  );
}

function withoutData(family: Metadata): Metadata {
  const { unit, help } = family;
  return { ...family, unit: holdsData(unit) ? '' : unit, help: holdsData(help) ? '' : help };
}

/** A detector that fails has found something. */
function holdsData(text: string): boolean {
  try {
    return DETECTORS.some(({ find }) => find(text));
  } catch {
    return true;
  }
}

function deadlineOf({ timeLeftMs }: { readonly timeLeftMs: number }): number {
  return Date.now() + Math.min(timeLeftMs, LIMITS.answerMs);
}

/** What keeps a domain from telling leaves as a code. Our own faults stay errors. */
async function answered<T>(list: () => Promise<T>): Promise<T | Refused> {
  try {
    return await list();
  } catch (error) {
    const { code } = toComityError(error);
    switch (code) {
      case 'unsupported':
      case 'limit':
      case 'timeout':
        return { refusal: { code, name: '' } };
      case 'unavailable':
        return { refusal: { code: 'source_unavailable', name: '' } };
      default:
        throw error;
    }
  }
}

/** Half of what an answer may have leaves room for whatever is around the texts. */
const LIST_BYTES = LIMITS.answerBytes / 2;

/** The first items that come to no more than `limit` and than an answer may have. */
function fit<T>(
  items: readonly T[],
  bytesOf: (item: T) => number,
  limit: number,
  weightOf: (item: T) => number = () => 1,
): Listed<T> {
  let bytes = 0;
  let weight = 0;
  const end = items.findIndex((item) => {
    bytes += bytesOf(item);
    weight += weightOf(item);
    return bytes > LIST_BYTES || weight > limit;
  });
  return end < 0 ? { found: items, isCut: false } : { found: items.slice(0, end), isCut: true };
}

function labelsBytes(labels: Labels): number {
  return labels.reduce((bytes, text) => bytes + Buffer.byteLength(text) + TEXT_BYTES, 0);
}

function familyBytes({ metric, unit, help }: Metadata): number {
  return Buffer.byteLength(metric) + Buffer.byteLength(unit) + Buffer.byteLength(help) + 4 * TEXT_BYTES;
}

function exemplarsBytes({ labels, exemplars }: SeriesExemplars): number {
  const own = exemplars.reduce((bytes, one) => bytes + labelsBytes(one.labels) + 2 * FLOAT_BYTES, 0);
  return labelsBytes(labels) + own;
}

/** Around a text: its index and its length. */
const TEXT_BYTES = 8;
const FLOAT_BYTES = 8;
