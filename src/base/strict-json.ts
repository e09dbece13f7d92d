/**
 * Reads JSON in which no object has a name twice: readers differ in which of the two counts, so one that checks and one that
 * acts could see different values. Throws a `SyntaxError` that says what is wrong, also for what is nested deeply.
 */
export function parseStrictJson(text: string): unknown {
  assertDepth(text);
  const value: unknown = JSON.parse(text);
  if (namesIn(text) !== namesOf(value)) throw new SyntaxError('an object has a name twice');
  return value;
}

/** What is read here is flat; a million brackets would keep the parser busy for a second. */
const DEPTH_MAX = 32;

/** A string, the last one of a broken text up to its end, or a bracket. */
const BRACKETS = /"(?:[^"\\]|\\.)*(?:"|$)|[[\]{}]/gs;

function assertDepth(text: string): void {
  let depth = 0;
  for (const [token] of text.matchAll(BRACKETS)) {
    if (token === '[' || token === '{') depth++;
    else if (token === ']' || token === '}') depth--;
    if (depth > DEPTH_MAX) throw new SyntaxError(`it is nested more than ${DEPTH_MAX} deep`);
  }
}

/** A string and the colon that makes it a name. The text is known to be JSON, so nothing else begins with a quote. */
const STRING = /"(?:[^"\\]|\\.)*"(?:[ \t\n\r]*(:))?/g;

function namesIn(text: string): number {
  let names = 0;
  for (const [, colon] of text.matchAll(STRING)) if (colon !== undefined) names++;
  return names;
}

function namesOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const inner: unknown[] = Object.values(value);
  return inner.reduce<number>((names, one) => names + namesOf(one), Array.isArray(value) ? 0 : inner.length);
}
