/** `\pL` is a table of hundreds of ranges, each of which is compiled. */
const UNICODE_CLASS_COST = 200;

/** One atom, parenthesis or counted repetition of a regular expression. */
const PIECE = /\\[pP](?:\{[^}]*\}|.)|\\x\{[^}]*\}|\\.|\[(?:\\.|[^\]\\])+\]|\{(\d+)(?:,(\d*))?\}|./gsu;

/**
 * An estimate of the work to compile an RE2 regular expression: its atoms after counted repetitions are written out, as
 * the compiler does, so `(ab){100}` costs 200. It is only an estimate where the text is not valid RE2.
 */
export function regexCost(pattern: string): number {
  const outer: { total: number }[] = [];
  let group = { total: 0 };
  /** What a repetition that follows would repeat. */
  let atom = 0;
  for (const [piece, least, most] of pattern.matchAll(PIECE)) {
    if (least !== undefined) {
      const times = Math.max(1, Number(least), Number(most ?? 0));
      group.total += atom * (times - 1);
      atom *= times;
    } else if (piece === '(') {
      outer.push(group);
      group = { total: 0 };
    } else if (piece === ')') {
      atom = group.total;
      const parent = outer.pop();
      if (parent !== undefined) group = { total: parent.total + atom };
    } else {
      atom = 1 + UNICODE_CLASS_COST * (piece.split(/\\[pP]/).length - 1);
      group.total += atom;
    }
  }
  return outer.reduce((sum, { total }) => sum + total, group.total);
}
