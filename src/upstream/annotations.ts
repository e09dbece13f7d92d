import { badBucketLabel, invalidQuantile, possibleNonCounter } from '../engine/annotations.ts';
import { noteText } from '../engine/note-codes.ts';
import type { Note } from '../engine/notes.ts';
import type { Span } from '../promql/ast.ts';
import type { SpanAt } from './positions.ts';

/** What an annotation of the server comes to. */
export type Annotated =
  | { readonly note: Note }
  /** One that says no more than what an evaluation of our own would have to be made for. */
  | 'dropped'
  /** One that the answer may hang on, such as of native histograms: the fragment is to be evaluated by the engine. */
  | 'decisive';

/** The annotations that are known, with what their text has to say beside where. */
const KNOWN: readonly (readonly [RegExp, (span: Span, ...parts: readonly string[]) => Note])[] = [
  [
    /^PromQL info: metric might not be a counter, .* (".*")$/,
    (span, name = '') => possibleNonCounter(unquoted(name), span),
  ],
  [
    /^PromQL warning: quantile value should be between 0 and 1, got (\S+)$/,
    (span, value = '') => invalidQuantile(Number(value.replace('Inf', 'Infinity')), span),
  ],
  [
    /^PromQL warning: bucket label "le" is missing or has a malformed value of (".*?")(?: for metric name (".*"))?$/,
    (span, label = '', metric = '""') => badBucketLabel(unquoted(metric), unquoted(label), span),
  ],
];

/** Its figures are rounded in the text, so that they cannot be said again. */
const MONOTONICITY = /^PromQL info: input to histogram_quantile needed to be fixed for monotonicity/;

export function annotated(text: string, spanAt: SpanAt): Annotated {
  if (MONOTONICITY.test(text)) return 'dropped';
  const place = / \((\d+):(\d+)\)$/.exec(text);
  if (place === null) return 'decisive';
  const words = text.slice(0, place.index);
  for (const [pattern, make] of KNOWN) {
    const match = pattern.exec(words);
    if (match === null) continue;
    const note = make(spanAt(Number(place[1]), Number(place[2])), ...match.slice(1));
    // Only what comes out word for word was understood.
    if (noteText(note) === words) return { note };
  }
  return 'decisive';
}

function unquoted(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    return text;
  }
}
