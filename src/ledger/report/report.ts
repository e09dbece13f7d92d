import type { FragmentRecord, Leaf, PolicyLeaf, RedactionLeaf, ReleaseLeaf, StartLeaf } from '../leaf.ts';
import { CONTROLS, limitsOf, type Control } from './limits.ts';

/** A leaf and its index in the log. */
export interface ReportEntry {
  readonly index: number;
  readonly leaf: Leaf;
}

/** What was recomputed of the log before the report was made. */
export interface ReportedLedger {
  readonly origin: string;
  /** The log's key, as a C2SP verifier key. */
  readonly key: string;
  /** Leaves under the checkpoint. */
  readonly size: number;
  /** Root hash of those, in base64. */
  readonly root: string;
  /** Whose cosignatures were checked, and of how many leaves. */
  readonly witnesses: readonly { readonly name: string; readonly size: number }[];
}

export interface ReportOptions {
  readonly domain: string;
  /** Milliseconds since the epoch; leaves of minutes from here on, and before `toMs`. */
  readonly fromMs: number;
  readonly toMs: number;
  readonly madeMs: number;
}

/** Figures with where they are from, and the command that computes them again. */
interface Sourced {
  readonly source: string;
  readonly recompute: string;
}

/** What left of one metric in one way: by the same label names, to the same place. */
export interface LeftRow {
  /** `*` stands for a selector that spells no metric out. */
  readonly metric: string;
  /** `streams`: how many senders were expected and heard, and no sample. */
  readonly class: 'open' | 'aggregate' | 'streams' | 'unknown';
  /** The least number of series that a group had to have. */
  readonly min_series: number | null;
  readonly dimensions: readonly string[];
  readonly operators: readonly string[];
  readonly destination: string;
  readonly answers: number;
  /** Of the answers that it was part of; one that holds several metrics counts for each. */
  readonly bytes: number;
  /** The data's times. */
  readonly data_from: string;
  readonly data_to: string;
  readonly finest_step_seconds: number;
}

export interface DenialRow {
  readonly reason: string;
  readonly fragments: number;
  readonly metrics: readonly string[];
}

export interface KindRow {
  readonly what: string;
  readonly destination: string;
  readonly answers: number;
  readonly bytes: number;
  /** The figures are bounds: a record of heartbeats is made before they are sent, for all of a minute. */
  readonly at_most: boolean;
}

export interface PolicyRow {
  readonly minute: string;
  readonly index: number;
  readonly digest: string;
  readonly state: string;
  readonly bundle_version: number | null;
  readonly approvers: readonly string[];
  readonly loosening: boolean;
  readonly changes: readonly string[];
  /** Whether it was in force before the period already. */
  readonly before: boolean;
}

export interface AgentRow {
  readonly agent: string;
  readonly version: string;
  readonly jurisdiction: string;
  readonly ledger_key: string;
  readonly samples_in: string;
  readonly starts: number;
  readonly last_start: string;
}

export interface RedactionRow {
  readonly place: string;
  readonly reason: string;
  readonly action: string;
  readonly values: number;
}

/** What left a domain in a period, what did not, and how that is known. All from the ledger; times are UTC. */
export interface ComplianceReport {
  readonly version: 1;
  readonly domain: string;
  readonly from: string;
  readonly to: string;
  readonly made: string;
  readonly ledger: ReportedLedger &
    Sourced & { readonly entries: number; readonly first: number | null; readonly last: number | null };
  /** Answers and bytes without heartbeats. */
  readonly summary: {
    readonly answers: number;
    readonly bytes: number;
    readonly fragments_released: number;
    readonly fragments_refused: number;
    readonly consumers: number;
    readonly destinations: readonly string[];
    readonly policy_changes: number;
    readonly loosenings: number;
  };
  readonly left: Sourced & { readonly rows: readonly LeftRow[] };
  readonly kinds: Sourced & { readonly rows: readonly KindRow[] };
  readonly denials: Sourced & { readonly rows: readonly DenialRow[] };
  readonly groups_of_one: Sourced & { readonly metrics: readonly string[] };
  readonly policies: Sourced & { readonly rows: readonly PolicyRow[] };
  readonly agents: Sourced & { readonly rows: readonly AgentRow[]; readonly certificates: string };
  readonly redaction: Sourced & { readonly minutes: number; readonly rows: readonly RedactionRow[] };
  readonly controls: readonly Control[];
  readonly limits: readonly string[];
}

/** Adds up the leaves of a verified log, which come in the order of their indices. */
export function complianceReport(
  ledger: ReportedLedger,
  entries: Iterable<ReportEntry>,
  options: ReportOptions,
): ComplianceReport {
  const { domain, fromMs, toMs, madeMs } = options;
  const found = startFound();
  for (const { index, leaf } of entries) {
    if (leaf.domain !== domain) continue;
    const atMs = Date.parse(leaf.kind === 'redaction' ? leaf.to : leaf.minute);
    if (atMs >= toMs) continue;
    const isBefore = atMs < fromMs;
    if (leaf.kind === 'policy') addPolicy(found, leaf, index, isBefore);
    else if (leaf.kind === 'start') addStart(found, leaf);
    if (isBefore) continue;
    found.entries++;
    found.first ??= index;
    found.last = index;
    if (leaf.kind === 'release') addRelease(found, leaf);
    else if (leaf.kind === 'redaction') addRedaction(found, leaf);
  }
  const answerKinds = [...found.kinds.values()].filter((row) => row.what !== 'status');
  const { sourced, period } = sourcing(ledger, options);
  // Counts of senders come after all that is about samples.
  const left = [...found.left.values()].toSorted(
    byTexts((row) => [String(row.class === 'streams'), row.metric, row.dimensions.join(), row.destination]),
  );
  const groupsOfOne = left.filter((row) => row.class === 'aggregate' && row.min_series === 1).map((row) => row.metric);
  const policies = policyRows(found.policies);
  const changes = policies.filter((row) => !row.before);
  return {
    version: 1,
    domain,
    ...period,
    made: new Date(madeMs).toISOString(),
    ledger: {
      ...ledger,
      ...sourced('ledger', ''),
      recompute: `comity ledger verify LEDGER --keys '${ledger.key}'`,
      entries: found.entries,
      first: found.first ?? null,
      last: found.last ?? null,
    },
    summary: {
      answers: sum(answerKinds, (row) => row.answers),
      bytes: sum(answerKinds, (row) => row.bytes),
      fragments_released: found.released,
      fragments_refused: sum(found.denials.values(), (row) => row.fragments),
      consumers: found.consumers.size,
      destinations: [...new Set([...found.kinds.values()].map((row) => row.destination))].toSorted(),
      policy_changes: changes.length,
      loosenings: changes.filter((row) => row.loosening).length,
    },
    left: {
      ...sourced('ledger', '--kind release --decision released --by metric,class,dimensions,destination'),
      rows: left,
    },
    kinds: {
      ...sourced('ledger', '--kind release --by what,destination'),
      rows: [...found.kinds.values()].toSorted(byTexts((row) => [row.what, row.destination])),
    },
    denials: {
      ...sourced('ledger', '--kind release --decision refused --by reason'),
      rows: [...found.denials.values()]
        .map(({ metrics, ...row }) => ({ ...row, metrics: [...metrics].toSorted() }))
        .toSorted((a, b) => b.fragments - a.fragments),
    },
    groups_of_one: {
      ...sourced('ledger', '--kind release --decision released --by metric,class'),
      metrics: [...new Set(groupsOfOne)],
    },
    policies: { ...sourced('policy history (in the ledger)', '--kind policy'), rows: policies },
    agents: {
      ...sourced('agent inventory (in the ledger)', '--kind start'),
      rows: [...found.agents.values()],
      certificates: 'None: hubs are known by tokens, and agents sign their ledgers with the keys above.',
    },
    redaction: {
      ...sourced('ingest counters (in the ledger)', '--kind redaction'),
      minutes: Math.round(found.redactedMs / MINUTE_MS),
      rows: [...found.redaction.values()].toSorted((a, b) => b.values - a.values),
    },
    controls: CONTROLS,
    limits: limitsOf({ groupsOfOne: groupsOfOne.length, witnesses: ledger.witnesses.length }),
  };
}

const MINUTE_MS = 60 * 1000;

/** The times of the period in words, and where figures of it are from. */
function sourcing({ key }: ReportedLedger, { fromMs, toMs }: ReportOptions) {
  const period = { from: new Date(fromMs).toISOString(), to: new Date(toMs).toISOString() };
  const range = `--from ${period.from} --to ${period.to}`;
  return {
    period,
    sourced: (source: string, filter: string): Sourced => ({
      source,
      recompute: `comity ledger show LEDGER --keys '${key}' ${range} ${filter}`.trimEnd(),
    }),
  };
}

/** The sums so far. */
interface Found {
  entries: number;
  first: number | undefined;
  last: number | undefined;
  released: number;
  readonly left: Map<string, LeftRow>;
  readonly kinds: Map<string, KindRow>;
  readonly denials: Map<string, { reason: string; fragments: number; metrics: Set<string> }>;
  readonly consumers: Set<string>;
  readonly policies: PolicyRow[];
  readonly agents: Map<string, AgentRow>;
  readonly redaction: Map<string, RedactionRow>;
  redactedMs: number;
}

function startFound(): Found {
  return {
    entries: 0,
    first: undefined,
    last: undefined,
    released: 0,
    left: new Map(),
    kinds: new Map(),
    denials: new Map(),
    consumers: new Set(),
    policies: [],
    agents: new Map(),
    redaction: new Map(),
    redactedMs: 0,
  };
}

function addRelease(found: Found, leaf: ReleaseLeaf): void {
  const { what, destination, times = 1 } = leaf;
  const bytes = leaf.bytes * times;
  found.consumers.add(leaf.consumer);
  const kind = JSON.stringify([what, destination]);
  const { answers, bytes: before } = found.kinds.get(kind) ?? { answers: 0, bytes: 0 };
  const isBound = leaf.times !== undefined;
  found.kinds.set(kind, { what, destination, answers: answers + times, bytes: before + bytes, at_most: isBound });
  // An answer that asks for a metric twice holds it once.
  const counted = new Set<string>();
  for (const fragment of leaf.fragments) {
    if (fragment.decision === 'refused') {
      addDenial(found, fragment);
      continue;
    }
    found.released++;
    for (const metric of fragment.metrics) addLeft(found, metric, fragment, leaf, counted);
  }
}

function addDenial({ denials }: Found, { reason: code, metrics }: FragmentRecord): void {
  const reason = code ?? 'unknown';
  const row = denials.get(reason) ?? { reason, fragments: 0, metrics: new Set<string>() };
  row.fragments++;
  for (const metric of metrics) row.metrics.add(metric);
  denials.set(reason, row);
}

function addLeft(
  found: Found,
  metric: string,
  fragment: FragmentRecord,
  { destination, bytes }: ReleaseLeaf,
  counted: Set<string>,
): void {
  const { dimensions, operators, min_series: least } = fragment;
  const egress = operators.includes('coverage') ? 'streams' : (fragment.class ?? 'unknown');
  const key = JSON.stringify([metric, dimensions, destination, egress]);
  const row = found.left.get(key);
  const isNew = !counted.has(key);
  counted.add(key);
  found.left.set(key, {
    metric,
    class: egress,
    min_series: least === undefined ? (row?.min_series ?? null) : Math.min(row?.min_series ?? Infinity, least),
    dimensions,
    operators: [...new Set([...(row?.operators ?? []), ...operators])].toSorted(),
    destination,
    answers: (row?.answers ?? 0) + Number(isNew),
    bytes: (row?.bytes ?? 0) + (isNew ? bytes : 0),
    data_from: earlier(row?.data_from, fragment.from),
    data_to: later(row?.data_to, fragment.to),
    finest_step_seconds: Math.min(row?.finest_step_seconds ?? Infinity, fragment.step_seconds),
  });
}

function addPolicy({ policies }: Found, leaf: PolicyLeaf, index: number, before: boolean): void {
  policies.push({
    minute: leaf.minute,
    index,
    digest: leaf.policy,
    state: leaf.reason === undefined ? leaf.state : `${leaf.state} (${leaf.reason})`,
    bundle_version: leaf.bundle?.version ?? null,
    approvers: leaf.approvers,
    loosening: leaf.loosening,
    changes: leaf.changes,
    before,
  });
}

/** Of those before the period the last alone says what was in force at its start. */
function policyRows(rows: readonly PolicyRow[]): readonly PolicyRow[] {
  const last = rows.findLastIndex((row) => row.before);
  return rows.filter((row, index) => !row.before || index === last);
}

function addStart({ agents }: Found, leaf: StartLeaf): void {
  const { agent, version, jurisdiction, key, source, minute } = leaf;
  const starts = (agents.get(agent)?.starts ?? 0) + 1;
  const samples = source === 'store' ? 'the agent’s own store' : 'a server of the domain';
  agents.set(agent, {
    agent,
    version,
    jurisdiction,
    ledger_key: key,
    samples_in: samples,
    starts,
    last_start: minute,
  });
}

function addRedaction(found: Found, { from, to, counts }: RedactionLeaf): void {
  found.redactedMs += Date.parse(to) - Date.parse(from);
  for (const { place, reason, action, count } of counts) {
    const key = JSON.stringify([place, reason, action]);
    const values = (found.redaction.get(key)?.values ?? 0) + count;
    found.redaction.set(key, { place, reason, action, values });
  }
}

/** Minutes as the ledger writes them compare as texts. */
function earlier(a: string | undefined, b: string): string {
  return a === undefined || b < a ? b : a;
}

function later(a: string | undefined, b: string): string {
  return a === undefined || b > a ? b : a;
}

function sum<T>(rows: Iterable<T>, of: (row: T) => number): number {
  let total = 0;
  for (const row of rows) total += of(row);
  return total;
}

function byTexts<T>(of: (row: T) => readonly string[]): (a: T, b: T) => number {
  return (a, b) => {
    const [left, right] = [of(a), of(b)];
    const at = left.findIndex((text, i) => text !== right[i]);
    return at < 0 ? 0 : left[at]! < right[at]! ? -1 : 1;
  };
}
