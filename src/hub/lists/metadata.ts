import { TRUNCATED } from '../../api/query.ts';
import { LIMITS } from '../../base/limits.ts';
import type { Metadata } from '../../model/batch.ts';
import { decodeMetadataAnswer, encodeMetadataRequest } from '../../plan/frames/metadata-codec.ts';
import type { Federation } from '../registry.ts';
import { askForList, type ListCaller, type ListResult } from './ask.ts';

/** A question for what is known of metric families. */
export interface MetadataQuestion extends ListCaller {
  /** Empty for all. */
  readonly metric: string;
  /** Families; 0 answers with none, as Prometheus does. Undefined for the most that is allowed. */
  readonly limit: number | undefined;
  /** Things said of a family; undefined for all. */
  readonly limitPerMetric: number | undefined;
}

/** A family and what is said of it: by several domains perhaps several things, in order. */
export interface Family {
  readonly metric: string;
  readonly entries: readonly Omit<Metadata, 'metric'>[];
}

/** What any domain tells of the families that it does not seal, by name. */
export async function runMetadata(question: MetadataQuestion, federation: Federation): Promise<ListResult<Family>> {
  const { metric } = question;
  const limit = Math.min(question.limit ?? LIMITS.metadataFamilies, LIMITS.metadataFamilies);
  const asked = { metric, limit: Math.max(limit, 1) };
  const { told, coverage } = await askForList(
    {
      endpoint: 'metadata',
      selectors: [],
      range: undefined,
      body: (id, timeLeftMs) => encodeMetadataRequest({ ...asked, id, timeLeftMs }),
      decode: (bytes, id) => decodeMetadataAnswer(bytes, { ...asked, id }),
    },
    question,
    federation,
  );
  const families = merged(told.flatMap(({ answer }) => answer.families));
  const most = question.limitPerMetric ?? Infinity;
  const values = families.slice(0, limit).map((one) => ({ ...one, entries: one.entries.slice(0, most) }));
  // Prometheus does not say that it cut this list; where the caller asked for all of it, here somebody does.
  const isCut = question.limit === undefined && (families.length > limit || told.some(({ answer }) => answer.isCut));
  return { values, coverage, warnings: isCut ? [TRUNCATED] : [] };
}

/** By name; what domains say alike is said once. */
function merged(all: readonly Metadata[]): readonly Family[] {
  const families = new Map<string, Map<string, Omit<Metadata, 'metric'>>>();
  for (const { metric, type, unit, help } of all) {
    const entries = families.get(metric) ?? new Map<string, Omit<Metadata, 'metric'>>();
    families.set(metric, entries.set(JSON.stringify([type, help, unit]), { type, unit, help }));
  }
  return [...families]
    .sort(([a], [b]) => compareTexts(a, b))
    .map(([metric, entries]) => ({
      metric,
      entries: [...entries].sort(([a], [b]) => compareTexts(a, b)).map(([, entry]) => entry),
    }));
}

function compareTexts(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
