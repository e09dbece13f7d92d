/**
 * What is known of the texts that a regular expression matches, without running it: each is described by one branch at
 * least. Most patterns of dashboards are plain enough that no value has to be run through them.
 */
export interface Branch {
  /** Every text of the branch begins with this. */
  readonly text: string;
  /** What follows: nothing, anything, at least one character, or something that only the expression can tell. */
  readonly rest: 'nothing' | 'anything' | 'something' | 'unknown';
}

/** Branches times parts that are put together; an alternation takes as many as it has characters, and few have 10,000. */
const WORK_MAX = 200_000;

/** Groups inside one another; deeper ones are not looked into. */
const DEPTH_MAX = 16;

/**
 * The branches of a valid RE2 pattern that is anchored at both ends and whose `.` matches every character, or undefined
 * when it cannot be taken apart. Whatever is not understood without doubt counts as unknown.
 */
export function patternBranches(pattern: string): readonly Branch[] | undefined {
  // Half a character of two units matches no half of one, though the text does begin with it.
  if (!pattern.isWellFormed()) return undefined;
  const reader: Reader = { pattern, at: 0, left: WORK_MAX };
  const branches = alternation(reader, 0);
  return branches !== undefined && reader.at === pattern.length ? branches : undefined;
}

interface Reader {
  readonly pattern: string;
  at: number;
  /** Work that may still be done. */
  left: number;
}

const EMPTY: readonly Branch[] = [{ text: '', rest: 'nothing' }];
const META: ReadonlySet<string> = new Set('.+*?()|[]{}^$\\');

function alternation(reader: Reader, depth: number): readonly Branch[] | undefined {
  const all: Branch[] = [];
  for (;;) {
    const branches = sequence(reader, depth);
    if (branches === undefined) return undefined;
    for (const branch of branches) all.push(branch);
    if (reader.pattern[reader.at] !== '|') return all;
    reader.at++;
  }
}

/** One alternative, up to the `|`, the `)` or the end. */
function sequence(reader: Reader, depth: number): readonly Branch[] | undefined {
  const { pattern } = reader;
  let branches = EMPTY;
  if (depth === 0 && pattern[reader.at] === '^' && !isRepetition(pattern[reader.at + 1])) reader.at++;
  for (;;) {
    const char = pattern[reader.at];
    if (char === undefined || char === '|' || char === ')') return branches;
    if (char === '$' && depth === 0 && endsAlternative(pattern[reader.at + 1])) {
      reader.at++;
      return branches;
    }
    const start = reader.at;
    const next = part(reader, depth);
    if (next === undefined) return unknownRest(reader, isMark(pattern, start) ? EMPTY : branches, start, depth);
    const joined = isRepetition(pattern[reader.at]) ? undefined : join(reader, branches, next);
    if (joined === undefined) return unknownRest(reader, branches, reader.at, depth);
    branches = joined;
  }
}

/** Whether flags or a quotation begin here: a repetition behind them can be one of what stands before them. */
function isMark(pattern: string, at: number): boolean {
  return /^(?:\(\?[^:]|\\[QE])/.test(pattern.slice(at, at + 3));
}

/** What one character, class or group stands for; undefined when that is not understood. */
function part(reader: Reader, depth: number): readonly Branch[] | undefined {
  const { pattern } = reader;
  const char = pattern[reader.at]!;
  if (char === '(') return group(reader, depth);
  if (char === '.') {
    const times = pattern[reader.at + 1];
    if (times !== '*' && times !== '+') return undefined;
    reader.at += 2;
    return [{ text: '', rest: times === '*' ? 'anything' : 'something' }];
  }
  if (char === '\\') {
    const escaped = pattern[reader.at + 1] ?? '';
    // Before anything else than punctuation a backslash has a meaning of its own.
    if (!/^[!-/:-@[-^`{-~]$/.test(escaped)) return undefined;
    reader.at += 2;
    return [{ text: escaped, rest: 'nothing' }];
  }
  if (META.has(char)) return undefined;
  const text = String.fromCodePoint(pattern.codePointAt(reader.at)!);
  reader.at += text.length;
  return [{ text, rest: 'nothing' }];
}

function group(reader: Reader, depth: number): readonly Branch[] | undefined {
  const { pattern } = reader;
  reader.at++;
  if (pattern[reader.at] === '?') {
    // Flags and names of groups are left to the expression.
    if (pattern[reader.at + 1] !== ':') return undefined;
    reader.at += 2;
  }
  const branches = depth === DEPTH_MAX ? undefined : alternation(reader, depth + 1);
  if (branches === undefined || pattern[reader.at] !== ')') return undefined;
  reader.at++;
  return branches;
}

/** Every branch of `first` followed by every one of `second`; undefined when these are too many. */
function join(reader: Reader, first: readonly Branch[], second: readonly Branch[]): readonly Branch[] | undefined {
  reader.left -= first.length * second.length;
  if (reader.left < 0) return undefined;
  return first.flatMap((branch) =>
    branch.rest === 'nothing'
      ? second.map(({ text, rest }): Branch => ({ text: branch.text + text, rest }))
      : [{ text: branch.text, rest: 'unknown' as const }],
  );
}

/**
 * What is known when something is not understood: only the beginnings, and that only where no `|` follows `from`, so that
 * all of the rest belongs to them.
 */
function unknownRest(
  reader: Reader,
  branches: readonly Branch[],
  from: number,
  depth: number,
): readonly Branch[] | undefined {
  const { pattern } = reader;
  if (depth > 0 || pattern.includes('|', from)) return undefined;
  reader.at = pattern.length;
  return branches.map(({ text }): Branch => ({ text, rest: 'unknown' }));
}

function isRepetition(char: string | undefined): boolean {
  return char === '*' || char === '+' || char === '?' || char === '{';
}

function endsAlternative(char: string | undefined): boolean {
  return char === undefined || char === '|';
}
