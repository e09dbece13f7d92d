import type { RefusalCode } from '../plan/frames/refusal-codec.ts';

/** What kind of answer left, or was refused. */
export const RELEASE_KINDS = [
  'query',
  'explain',
  'labels',
  'series',
  'metadata',
  'exemplars',
  'status',
  'error',
] as const;
export type ReleaseKind = (typeof RELEASE_KINDS)[number];

/** `partly`: some fragments were released and some refused. */
export type Decision = 'released' | 'partly' | 'refused';

/** A time to the minute, UTC: `2026-11-22T08:05Z`. */
export type Minute = string;

/** One answer of a border, whether anything left or not. */
export interface ReleaseLeaf {
  readonly v: 1;
  readonly kind: 'release';
  readonly what: ReleaseKind;
  readonly domain: string;
  readonly agent: string;
  readonly minute: Minute;
  /** Who asked, as 32 hex digits: HMAC-SHA-256 under a key of the domain, cut short. */
  readonly consumer: string;
  /** The jurisdiction that the answer went to. */
  readonly destination: string;
  /** The digest of the policy that decided. */
  readonly policy: string;
  readonly decision: Decision;
  readonly fragments: readonly FragmentRecord[];
  /** Of the answer, without the receipt around it. */
  readonly bytes: number;
  /**
   * Of heartbeats (`status`), which share a leaf: it stands for up to so many answers of up to `bytes` bytes each. Both
   * commitments are empty then.
   */
  readonly times?: number | undefined;
  /** Of the request's bytes as they came: SHA-256 over 16 bytes of salt and them, in hex. */
  readonly request: string;
  /** Of the answer's bytes, in the same way. */
  readonly answer: string;
}

/** One fragment, or one list, of an answer. It names no value of a label and no count but a rounded one. */
export interface FragmentRecord {
  readonly decision: 'released' | 'refused';
  /** Of what is refused. */
  readonly reason?: RefusalCode | undefined;
  /** Spelt out, in order; `*` for a selector that spells none. */
  readonly metrics: readonly string[];
  readonly operators: readonly string[];
  /** Label names of the answer. */
  readonly dimensions: readonly string[];
  readonly from: Minute;
  readonly to: Minute;
  readonly step_seconds: number;
  readonly cells: CellsBucket;
  /** The strictest class of what a released fragment selects; absent where it selects nothing. */
  readonly class?: 'open' | 'aggregate' | undefined;
  /** How many series each group needed, of a released aggregate. */
  readonly min_series?: number | undefined;
}

/** A number of cells by its digits: `0`, `1-9`, `10-99` and so on. */
export type CellsBucket = '0' | `${number}-${number}`;

/** The policy that holds from here on. */
export interface PolicyLeaf {
  readonly v: 1;
  readonly kind: 'policy';
  readonly domain: string;
  readonly agent: string;
  readonly minute: Minute;
  /** The digest of the effective policy. */
  readonly policy: string;
  readonly state: 'in force' | 'deny all';
  /** Of `deny all`. */
  readonly reason?: string | undefined;
  readonly bundle?: { readonly digest: string; readonly version: number; readonly expires: string } | undefined;
  readonly layers: readonly { readonly layer: string; readonly digest: string }[];
  /** The names of the keys that signed. */
  readonly approvers: readonly string[];
  /** Whether something may leave that could not before. */
  readonly loosening: boolean;
  readonly changes: readonly string[];
}

/** The agent has started. */
export interface StartLeaf {
  readonly v: 1;
  readonly kind: 'start';
  readonly domain: string;
  readonly agent: string;
  readonly minute: Minute;
  readonly version: string;
  readonly jurisdiction: string;
  /** The vkey of the ledger. */
  readonly key: string;
  readonly source: 'store' | 'upstream';
}

/** What admission did between two times. */
export interface RedactionLeaf {
  readonly v: 1;
  readonly kind: 'redaction';
  readonly domain: string;
  readonly agent: string;
  readonly from: Minute;
  readonly to: Minute;
  readonly counts: readonly RedactionCount[];
}

export interface RedactionCount {
  readonly place: string;
  readonly rule: string;
  readonly reason: string;
  readonly action: string;
  readonly count: number;
}

export type Leaf = ReleaseLeaf | PolicyLeaf | StartLeaf | RedactionLeaf;

/** What the border knows of an answer; the recorder adds who, when and the commitments. */
export type ReleaseDraft = Pick<ReleaseLeaf, 'what' | 'policy' | 'decision' | 'fragments'> & {
  /** Who asked; its jurisdiction becomes the destination. */
  readonly consumer: { readonly name: string; readonly jurisdiction: string };
};

/** The minute that a time (ms since the epoch) lies in. Times that no calendar has become the nearest that it has. */
export function minuteOf(ms: number): Minute {
  const bounded = Math.min(Math.max(Number.isNaN(ms) ? 0 : ms, 0), LAST_MS);
  return `${new Date(bounded).toISOString().slice(0, 16)}Z`;
}

/** The end of the year 9999, after which a year has more digits. */
const LAST_MS = Date.UTC(10_000, 0, 1) - 1;

export function cellsBucket(cells: number): CellsBucket {
  if (cells <= 0) return '0';
  const from = 10 ** (String(Math.floor(cells)).length - 1);
  return `${from}-${from * 10 - 1}`;
}
