import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import type { MessageBounds } from '../../base/proto.ts';
import { areArguments, isNoteCode, noteLevel, type NoteArgument } from '../../engine/note-codes.ts';
import { NOTES_MAX, type Note, type NoteDetail } from '../../engine/notes.ts';
import type { Expr, Span } from '../../promql/ast.ts';

/** The Note message of proto/federation.proto. */
export interface NoteMessage {
  code: string;
  arguments: { text?: string; number?: number }[];
  node?: number;
  monotonicity?: Omit<Extract<NoteDetail, { kind: 'monotonicity' }>, 'kind'>;
  overlaps?: number;
}

/** Notes of one fragment: how many at the most, and what one may hold. */
export const noteBounds: { readonly count: number; readonly each: MessageBounds } = {
  count: NOTES_MAX,
  each: { fields: 8, bytes: { 1: LIMITS.labelBytes, 2: LIMITS.labelBytes * 2 } },
};

/** Notes of a tree that was decoded, in which a node's span begins with its index. */
export function encodeNotes(notes: readonly Note[]): NoteMessage[] {
  return notes.map(({ code, args, span, detail }) => ({
    code,
    arguments: args.map((one) => (typeof one === 'string' ? { text: one } : { number: one })),
    ...(!isNowhere(span) && { node: span.start }),
    ...encodeDetail(detail),
  }));
}

/** `nodes`: those of the asker's own tree, by index. Throws `bad_data` for a note that this version would not make. */
export function decodeNotes(notes: readonly NoteMessage[], nodes: readonly Expr[]): Note[] {
  return notes.map((message) => {
    const { code } = message;
    if (!isNoteCode(code)) throw broken('its code');
    const args = message.arguments.map(decodeArgument);
    if (!areArguments(code, args)) throw broken('its arguments');
    const span = message.node === undefined ? NOWHERE : nodes[message.node]?.span;
    if (span === undefined) throw broken('its node');
    const detail = decodeDetail(message);
    const note = { level: noteLevel(code), code, args, span };
    // A border may have kept the detail.
    if (detail !== undefined && detail.kind !== detailKind(code)) throw broken('its detail');
    return detail === undefined ? note : { ...note, detail };
  });
}

/** Where Prometheus puts what it says of a subquery: the beginning of the text. */
const NOWHERE: Span = { start: 0, end: 0 };

function isNowhere({ start, end }: Span): boolean {
  return start === 0 && end === 0;
}

/** Which notes add up to what. */
function detailKind(code: Note['code']): NoteDetail['kind'] | undefined {
  if (code === 'forced_monotonicity') return 'monotonicity';
  return code === 'start_time_overlap' ? 'overlap' : undefined;
}

function decodeArgument({ text, number }: NoteMessage['arguments'][number]): NoteArgument {
  const value = text ?? number;
  if (value === undefined || (text !== undefined && text.length > LIMITS.labelBytes)) throw broken('its arguments');
  return value;
}

function encodeDetail(detail: NoteDetail | undefined): Pick<NoteMessage, 'monotonicity' | 'overlaps'> {
  if (detail === undefined) return {};
  if (detail.kind === 'overlap') return { overlaps: detail.samples };
  const { kind: _, ...monotonicity } = detail;
  return { monotonicity };
}

function decodeDetail({ monotonicity, overlaps }: NoteMessage): NoteDetail | undefined {
  if (overlaps !== undefined) return { kind: 'overlap', samples: countOf(overlaps) };
  if (monotonicity === undefined) return undefined;
  const { fromMs, toMs, leastBound, mostBound, mostDifference, samples } = monotonicity;
  // A time beyond what a date can be would be an error when it is shown.
  if (!(Math.abs(fromMs) <= DATE_MAX_MS && Math.abs(toMs) <= DATE_MAX_MS)) throw broken('its times');
  const bounds = { leastBound, mostBound, mostDifference };
  return { kind: 'monotonicity', fromMs, toMs, ...bounds, samples: countOf(samples) };
}

const DATE_MAX_MS = 8.64e15;

function countOf(samples: number): number {
  if (!Number.isSafeInteger(samples) || samples < 1) throw broken('its samples');
  return samples;
}

function broken(what: string): ComityError {
  return new ComityError('bad_data', `malformed Note: ${what}`);
}
