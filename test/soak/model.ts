import { GROUPS, groupOf } from './batches.ts';
import { cellOf, KINDS, METRIC, sentWith, type Kind, type Schedule, type Series } from './schedule.ts';

/** What the agent must hold: everything acknowledged that is not deleted. */
export interface Model {
  readonly schedule: Schedule;
  /** The last round that each group has acknowledged, -1 before the first. */
  readonly acknowledged: Int32Array;
  /** The last round of which anything was sent. */
  attempted: number;
  readonly deletions: Deletion[];
  now(): Moment;
  /** Notes a deletion that is about to be asked for; one at a time. */
  beginDeletion(deletion: Omit<Deletion, 'cut' | 'isDone'>): Deletion;
  /** The series that a selection means with samples from [fromRound, toRound], as far as they are known to be sent. */
  series(selection: Selection, fromRound: number, toRound: number): Iterable<Series>;
  /**
   * Visits the samples of a series in [fromMs, toMs] that may be there when it is looked at from `start` to `end`, in order of
   * time; staleness markers too.
   */
  visit(series: Series, fromMs: number, toMs: number, look: Look, visitor: Visitor): void;
}

export type Visitor = (round: number, timeMs: number, state: State, isStale: boolean) => void;

/** Whether a sample must be there, may be since it is not acknowledged, or may be since a deletion of it is under way. */
export type State = 'must' | 'unacknowledged' | 'deleting';

/** What there is at a moment. */
export interface Moment {
  readonly acknowledged: Int32Array;
  readonly attempted: number;
  /** How many deletions were asked for, and how many of these are done. */
  readonly begun: number;
  readonly done: number;
}

export interface Look {
  readonly start: Moment;
  readonly end: Moment;
}

/** Some series, in PromQL and for the model. */
export interface Selection {
  readonly kinds: readonly Kind[];
  /** Undefined for all. */
  readonly buckets?: readonly number[] | undefined;
  readonly key?: string | undefined;
  /** Series that come and go: slots, and the lives in each up to this one. */
  readonly ended?: { readonly slot: number; readonly lives: readonly number[] } | undefined;
}

export interface Deletion {
  readonly selection: Selection;
  readonly fromMs: number;
  readonly toMs: number;
  /** Samples sent with later rounds are not meant. */
  cut: number;
  isDone: boolean;
}

export function makeModel(schedule: Schedule): Model {
  const acknowledged = new Int32Array(GROUPS.length).fill(-1);
  const deletions: Deletion[] = [];

  const model: Model = {
    schedule,
    acknowledged,
    attempted: -1,
    deletions,
    now() {
      const begun = deletions.length;
      const done = begun > 0 && !deletions[begun - 1]!.isDone ? begun - 1 : begun;
      return { acknowledged: acknowledged.slice(), attempted: model.attempted, begun, done };
    },
    beginDeletion(wanted) {
      const deletion = { ...wanted, cut: model.attempted, isDone: false };
      deletions.push(deletion);
      return deletion;
    },
    *series(selection, fromRound, toRound) {
      for (const series of schedule.lasting) if (isMeant(selection, series)) yield series;
      if (!selection.kinds.includes('churn')) return;
      for (let slot = 0; slot < schedule.slots; slot++) {
        let round = Math.max(0, fromRound);
        while (round <= Math.min(toRound, model.attempted)) {
          const series = schedule.inSlot(slot, round);
          if (isMeant(selection, series)) yield series;
          round = series.lastRound + 1;
        }
      }
    },
    visit(series, fromMs, toMs, { start, end }, visitor) {
      const group = groupOf(series.kind);
      const done = start.done;
      const hidden: Deletion[] = [];
      const hiding: Deletion[] = [];
      for (let i = 0; i < end.begun; i++) {
        const one = deletions[i]!;
        if (one.fromMs > toMs || one.toMs < fromMs || !isMeant(one.selection, series)) continue;
        (i < done ? hidden : hiding).push(one);
      }
      const last = Math.min(series.lastRound, end.attempted);
      for (let round = schedule.roundFrom(series, fromMs); round <= last; round++) {
        const timeMs = schedule.timeOf(series, round);
        if (timeMs > toMs) return;
        const cell = cellOf(schedule, series, round);
        if (cell === 'none') continue;
        const sent = sentWith(schedule, series, round);
        if (sent > end.attempted || hidden.some((one) => hides(one, timeMs, sent))) continue;
        let state: State = 'must';
        if (sent > start.acknowledged[group]!) state = 'unacknowledged';
        else if (hiding.some((one) => hides(one, timeMs, sent))) state = 'deleting';
        visitor(round, timeMs, state, cell === 'stale');
      }
    },
  };
  return model;
}

function hides({ fromMs, toMs, cut }: Deletion, timeMs: number, sent: number): boolean {
  return sent <= cut && timeMs >= fromMs && timeMs <= toMs;
}

/** Whether a selection means a series. */
export function isMeant({ kinds, buckets, key, ended }: Selection, series: Series): boolean {
  if (!kinds.includes(series.kind)) return false;
  if (buckets !== undefined && !buckets.includes(series.bucket)) return false;
  if (key !== undefined && series.key !== key) return false;
  return ended === undefined || (series.slot === ended.slot && ended.lives.includes(series.lifeNumber));
}

/** A selection as a selector. */
export function selectorOf(selection: Selection): string {
  const { kinds, buckets, key, ended } = selection;
  const matchers: string[] = [];
  const isAll = kinds.length === KINDS.length;
  if (kinds.length > 1) {
    matchers.push(`__name__=~"${isAll ? 'soak_.+' : kinds.map((kind) => METRIC[kind]).join('|')}"`);
  }
  if (buckets !== undefined) matchers.push(`bucket=~"${buckets.map((bucket) => `b${bucket}`).join('|')}"`);
  if (key !== undefined) matchers.push(`series="${key}"`);
  if (ended !== undefined) matchers.push(`series=~"${ended.lives.map((life) => `c${ended.slot}-${life}`).join('|')}"`);
  const list = matchers.length === 0 ? '' : `{${matchers.join(',')}}`;
  return `${kinds.length === 1 ? METRIC[kinds[0]!] : ''}${list}`;
}
