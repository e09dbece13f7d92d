import { LIMITS } from '../base/limits.ts';
import { VERSION } from '../base/version.ts';
import { decodeLeaf, encodeLeaf } from './canonical.ts';
import { minuteOf, type PolicyLeaf, type RedactionCount, type StartLeaf } from './leaf.ts';
import type { Ledger } from './ledger.ts';

/** What is known of a policy that came into force; domain, agent and time are added. */
export type PolicyDraft = Omit<PolicyLeaf, 'v' | 'kind' | 'domain' | 'agent' | 'minute'>;

/** Records what happens to an agent beside its answers. All of it fails with `unavailable` as `Ledger.append` does. */
export interface LeafWriter {
  start(about: Pick<StartLeaf, 'jurisdiction' | 'source'>): Promise<void>;
  policy(draft: PolicyDraft): Promise<void>;
  /** The last policy that was recorded, also before a restart. */
  lastPolicy(): Promise<PolicyLeaf | undefined>;
  /** What was counted between two times (ms since the epoch); nothing is recorded where that is nothing. */
  redaction(fromMs: number, toMs: number, counts: readonly RedactionCount[]): Promise<void>;
}

/** Characters of all changes of a policy in its leaf; those past it are counted only. */
const CHANGES_CHARS = 16 * 1024;

/** Characters of the counts in one leaf: the rest goes into another one. */
const COUNTS_CHARS = LIMITS.leafBytes / 4;

export function leafWriter(
  ledger: Ledger,
  { domain, agent, now }: { readonly domain: string; readonly agent: string; readonly now: () => number },
): LeafWriter {
  const common = { v: 1, domain, agent } as const;
  return {
    async start({ jurisdiction, source }) {
      const minute = minuteOf(now());
      const about = { jurisdiction, source, version: VERSION, key: ledger.vkey };
      await ledger.append(encodeLeaf({ ...common, kind: 'start', minute, ...about }));
    },
    async policy(draft) {
      const changes = bounded(draft.changes);
      const leaf = encodeLeaf({ ...common, kind: 'policy', minute: minuteOf(now()), ...draft, changes });
      await ledger.append(leaf, { kind: 'policy' });
    },
    async lastPolicy() {
      const bytes = await ledger.latest('policy');
      const leaf = bytes === undefined ? undefined : decodeLeaf(bytes);
      return leaf?.kind === 'policy' ? leaf : undefined;
    },
    async redaction(fromMs, toMs, counts) {
      const span = { from: minuteOf(fromMs), to: minuteOf(toMs) };
      await Promise.all(
        chunks(counts).map((some) =>
          ledger.append(encodeLeaf({ ...common, kind: 'redaction', ...span, counts: some })),
        ),
      );
    },
  };
}

function bounded(changes: readonly string[]): readonly string[] {
  let chars = 0;
  const end = changes.findIndex((change) => (chars += change.length) > CHANGES_CHARS);
  return end === -1 ? changes : [...changes.slice(0, end), `and ${changes.length - end} more`];
}

function chunks(counts: readonly RedactionCount[]): RedactionCount[][] {
  const all: RedactionCount[][] = [];
  let chars = Infinity;
  // Exactly the fields of a leaf, whatever else a counter has.
  for (const { place, rule, reason, action, count } of counts) {
    const one = { place, rule, reason, action, count };
    const length = JSON.stringify(one).length;
    if (chars + length > COUNTS_CHARS) {
      all.push([]);
      chars = 0;
    }
    all.at(-1)!.push(one);
    chars += length;
  }
  return all;
}
