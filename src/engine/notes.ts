import { formatShort } from '../base/numbers.ts';
import type { Span } from '../promql/ast.ts';
import { noteText, type NoteArgument, type NoteCode } from './note-codes.ts';

/**
 * What an evaluation has to say beside its answer, as Prometheus's annotations: a `warning` where the answer may be wrong, an
 * `info` where the query may be. Plain data, so that it goes from one thread or domain to another and a border can tell what
 * it names; whoever has the text of the query words it.
 */
export interface Note {
  readonly level: 'warning' | 'info';
  readonly code: NoteCode;
  /** What the text names, as `argumentKinds` says. Notes of one text are one note. */
  readonly args: readonly NoteArgument[];
  readonly span: Span;
  readonly detail?: NoteDetail;
}

/** What equal notes add up to, and the text says when it is shown. */
export type NoteDetail =
  | {
      readonly kind: 'monotonicity';
      readonly fromMs: number;
      readonly toMs: number;
      readonly leastBound: number;
      readonly mostBound: number;
      readonly mostDifference: number;
      readonly samples: number;
    }
  | { readonly kind: 'overlap'; readonly samples: number };

/** Notes by their text. Of equal ones the latest gives the position, as in Prometheus. */
export interface Notes {
  add(note: Note): void;
  list(): readonly Note[];
}

/** Texts hold names of metrics and values of labels, so a query over many can have as many notes. */
export const NOTES_MAX = 1_000;

export function startNotes(): Notes {
  const byText = new Map<string, Note>();
  return {
    add(note) {
      const text = noteText(note);
      const before = byText.get(text);
      if (before === undefined && byText.size >= NOTES_MAX) return;
      byText.set(text, before === undefined ? note : joined(before, note));
    },
    list: () => [...byText.values()],
  };
}

function joined(before: Note, note: Note): Note {
  const one = before.detail;
  const other = note.detail;
  if (one?.kind === 'overlap' && other?.kind === 'overlap') {
    return { ...before, detail: { kind: 'overlap', samples: one.samples + other.samples } };
  }
  if (one?.kind !== 'monotonicity' || other?.kind !== 'monotonicity') return note;
  return {
    ...before,
    detail: {
      kind: 'monotonicity',
      fromMs: Math.min(one.fromMs, other.fromMs),
      toMs: Math.max(one.toMs, other.toMs),
      leastBound: Math.min(one.leastBound, other.leastBound),
      mostBound: Math.max(one.mostBound, other.mostBound),
      mostDifference: Math.max(one.mostDifference, other.mostDifference),
      samples: one.samples + other.samples,
    },
  };
}

/** The most of each level that an answer shows, as in Prometheus's API. */
const SHOWN_MAX = 10;

/** The notes as an answer to `query` shows them. `most`: how many of each level. */
export function noteTexts(
  notes: readonly Note[],
  query: string,
  most = SHOWN_MAX,
): { readonly warnings: string[]; readonly infos: string[] } {
  const shown = (level: Note['level']): string[] => {
    const texts = notes.filter((note) => note.level === level).map((note) => shownText(note, query));
    if (texts.length <= most) return texts;
    return [...texts.slice(0, most), `${texts.length - most} more ${level} annotations omitted`];
  };
  return { warnings: shown('warning'), infos: shown('info') };
}

function shownText(note: Note, query: string): string {
  const { span, detail } = note;
  const text = noteText(note);
  const position = `(${positionText(query, span.start)})`;
  if (detail === undefined) return `${text} ${position}`;
  if (detail.kind === 'overlap') {
    return detail.samples > 1 ? `${text} (${detail.samples} occurrences) ${position}` : `${text} ${position}`;
  }
  const buckets = `from buckets ${formatShort(detail.leastBound)} to ${formatShort(detail.mostBound)}`;
  const difference = `with a max diff of ${formatShort(detail.mostDifference, 2)}`;
  const times = `over ${detail.samples} samples from ${secondText(detail.fromMs)} to ${secondText(detail.toMs)}`;
  return `${text}, ${buckets}, ${difference}, ${times} ${position}`;
}

/** Line and column, both from 1; Prometheus counts columns in bytes. */
function positionText(query: string, offset: number): string {
  const before = query.slice(0, offset);
  const lineStart = before.lastIndexOf('\n') + 1;
  return `${before.split('\n').length}:${Buffer.byteLength(before.slice(lineStart)) + 1}`;
}

/** RFC 3339 without fractions of a second. */
function secondText(ms: number): string {
  return new Date(Math.trunc(ms / 1000) * 1000).toISOString().replace('.000Z', 'Z');
}
