import type { ReleaseKind } from '../ledger/leaf.ts';
import type { Labels } from '../model/labels.ts';
import { encodeExemplarsAnswer, type ExemplarsQuery } from '../plan/frames/exemplars-codec.ts';
import { encodeLabelsAnswer, type LabelsRequest } from '../plan/frames/labels-codec.ts';
import { encodeMetadataAnswer, type MetadataQuery } from '../plan/frames/metadata-codec.ts';
import type { Refusal } from '../plan/frames/refusal-codec.ts';
import { encodeSeriesAnswer, type SeriesQuery } from '../plan/frames/series-codec.ts';
import type { DomainStatus } from '../plan/frames/status-codec.ts';
import { checkInForce } from '../policy/check.ts';
import type { Policy } from '../policy/document.ts';
import { checkByteCount, checkListedValues, checkRowCount, checkValues } from './answer-limits.ts';
import type { Border } from './border.ts';
import { checkBudget } from './budget.ts';
import type { Asked } from './consumer.ts';
import type { Listed } from './list-data.ts';
import {
  checkLabelsQuery,
  checkSelectors,
  checkSeriesQuery,
  listExemplars,
  listLabels,
  listMetadata,
  listSeries,
  type Listing,
} from './lists.ts';
import { dimensionsOf, refusedRecord, releasedRecord } from './record.ts';
import type { Released } from './released.ts';
import { releasedStatus } from './released-status.ts';
import type { Refused } from './request.ts';
import { sealRecorded } from './seal-recorded.ts';
import { selectedByList, type Selected } from './selected.ts';
import { mayGoOn } from './veto.ts';

/** Label names or the values of one label, as far as the policy permits them, of metrics that may be listed. */
export function releaseLabels(
  query: LabelsRequest,
  asked: Asked,
  border: Border,
  signal: AbortSignal,
): Promise<Released> {
  return releaseList(asked, border, signal, {
    what: 'labels',
    select: (policy) => selectedByList(query, query.name, policy),
    permit: (policy) => checkLabelsQuery(query, policy),
    list: (listing) => listLabels(query, listing, signal),
    check: ({ found }, policy) => checkListedValues(query.name, found, policy),
    names: ({ found }) => (query.name === '' ? found.slice(0, NAMES_MAX) : [query.name]),
    encode: (status, listed) =>
      encodeLabelsAnswer({
        id: query.id,
        status,
        ...('refusal' in listed ? listed : { values: listed.found }),
      }),
  });
}

/** The series that a hub may be told of. */
export function releaseSeries(
  query: SeriesQuery,
  asked: Asked,
  border: Border,
  signal: AbortSignal,
): Promise<Released> {
  return releaseList(asked, border, signal, {
    what: 'series',
    select: (policy) => selectedByList(query, '', policy),
    permit: (policy) => checkSeriesQuery(query, policy),
    list: (listing) => listSeries(query, listing, signal),
    check: ({ found }, policy) => checkValues(labelled(found), policy),
    names: ({ found }) => dimensionsOf(labelled(found)),
    encode: (status, listed) => {
      if ('refusal' in listed) return encodeSeriesAnswer({ id: query.id, status, ...listed });
      const { found: series, ...rest } = listed;
      return encodeSeriesAnswer({ id: query.id, status, series, ...rest });
    },
  });
}

/** What is known of metric families of which something may leave. */
export function releaseMetadata(
  query: MetadataQuery,
  asked: Asked,
  border: Border,
  signal: AbortSignal,
): Promise<Released> {
  return releaseList(asked, border, signal, {
    what: 'metadata',
    select: (policy) => selectedByFamily(query, policy),
    permit: checkInForce,
    list: (listing) => listMetadata(query, listing, signal),
    check: () => undefined,
    names: () => [],
    encode: (status, listed) =>
      encodeMetadataAnswer({
        id: query.id,
        status,
        ...('refusal' in listed ? listed : { families: listed.found, isCut: listed.isCut }),
      }),
  });
}

/** The exemplars of series that a hub may be told of. */
export function releaseExemplars(
  query: ExemplarsQuery,
  asked: Asked,
  border: Border,
  signal: AbortSignal,
): Promise<Released> {
  return releaseList(asked, border, signal, {
    what: 'exemplars',
    select: (policy) => selectedByList(query, '', policy),
    permit: (policy) => checkSelectors(query.selectors, policy),
    list: (listing) => listExemplars(query, listing, signal),
    check: ({ found }, policy) => checkValues(found, policy),
    names: ({ found }) => dimensionsOf([...found, ...found.flatMap(({ exemplars }) => exemplars)]),
    encode: (status, listed) => {
      if ('refusal' in listed) return encodeExemplarsAnswer({ id: query.id, status, ...listed });
      const { found: series, ...rest } = listed;
      return encodeExemplarsAnswer({ id: query.id, status, series, ...rest });
    },
  });
}

/** What one kind of list is made of. */
interface ListKind<L extends Listed<unknown>> {
  readonly what: ReleaseKind & ('labels' | 'series' | 'metadata' | 'exemplars');
  select(policy: Policy): Selected;
  /** What the policy says of what is asked for. */
  permit(policy: Policy): Refusal | undefined;
  list(listing: Listing): Promise<L | Refused>;
  /** What the policy says of what was found, beyond its labels. */
  check(listed: L, policy: Policy): Refusal | undefined;
  /** The labels whose names or values leave. */
  names(listed: L): Iterable<string>;
  encode(status: DomainStatus, listed: L | Refused): Uint8Array;
}

/**
 * Decides about a list as about a fragment: by the policy's check of what it asks for, the day's bytes and the veto before
 * anything is looked up, and by what it has found and how much that is before it is recorded.
 */
async function releaseList<L extends Listed<unknown>>(
  asked: Asked,
  border: Border,
  signal: AbortSignal,
  { what, select, permit, list, check, names, encode }: ListKind<L>,
): Promise<Released> {
  const policy = border.policy();
  const { data, recorder } = border;
  const selected = select(policy);
  const status = releasedStatus(border, policy);
  const about = { domain: policy.domain, consumer: asked.consumer, kind: what };

  const decide = async (): Promise<L | Refused> => {
    const early = permit(policy) ?? checkBudget(policy, recorder);
    if (early !== undefined) return { refusal: early };
    if (!(await mayGoOn(border.veto, about, [selected], signal))) return { refusal: { code: 'vetoed', name: '' } };
    const listed = await list({ policy, data });
    if ('refusal' in listed) return listed;
    const refusal =
      check(listed, policy) ??
      checkRowCount(listed.found.length, policy) ??
      checkByteCount(encode(status, listed).length, policy, recorder);
    return refusal === undefined ? listed : { refusal };
  };

  const decided = await decide();
  const record =
    'refusal' in decided
      ? refusedRecord(selected, decided.refusal)
      : releasedRecord(selected, names(decided), decided.found.length);
  return sealRecorded({ what, policy, fragments: [record] }, asked, encode(status, decided), border);
}

/** Label names of which a record says that they have left; there are more only where nobody looks for one. */
const NAMES_MAX = 64;

function selectedByFamily({ metric }: MetadataQuery, policy: Policy): Selected {
  const now = Date.now();
  const selectors = metric === '' ? [] : [[{ name: '__name__', op: '=' as const, value: metric }]];
  return selectedByList({ selectors, fromMs: now, toMs: now }, '', policy);
}

function labelled(all: readonly Labels[]): readonly { readonly labels: Labels }[] {
  return all.map((labels) => ({ labels }));
}
