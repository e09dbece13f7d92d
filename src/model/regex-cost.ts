/** `\pL` is a table of hundreds of ranges, each of which is compiled. */
const UNICODE_CLASS_COST = 200;

/**
 * An estimate of the work to compile and run an RE2 regular expression: its atoms after counted repetitions are written
 * out, as the compiler does, so `(ab){100}` costs 200. One pass over the pattern; it is only an estimate where the text is
 * not valid RE2.
 */
export function regexCost(pattern: string): number {
  /** Costs of the groups that are open, the innermost last. */
  const groups = [0];
  /** What a repetition that follows would repeat. */
  let atom = 0;
  const add = (cost: number): void => {
    atom = cost;
    groups[groups.length - 1]! += cost;
  };
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i]!;
    if (char === '\\') {
      const literal = pattern[i + 1] === 'Q';
      const end = escapeEnd(pattern, i);
      if (literal) for (let n = i + 2; n < end; n++) add(1);
      else add(/[pP]/.test(pattern[i + 1] ?? '') ? UNICODE_CLASS_COST : 1);
      i = end - 1;
    } else if (char === '[') {
      const end = classEnd(pattern, i);
      add(1 + UNICODE_CLASS_COST * countUnicodeClasses(pattern, i, end) + (end - i) / 8);
      i = end - 1;
    } else if (char === '(') {
      groups.push(0);
    } else if (char === ')') {
      const cost = groups.length > 1 ? groups.pop()! : 0;
      add(cost);
    } else if (char === '{') {
      const counts = /^\{(\d{1,9})(?:,(\d{0,9}))?\}/.exec(pattern.slice(i, i + 24));
      if (counts === null) {
        add(1);
        continue;
      }
      const times = Math.max(1, Number(counts[1]), Number(counts[2] ?? 0));
      groups[groups.length - 1]! += atom * (times - 1);
      atom *= times;
      i += counts[0].length - 1;
    } else if (!'*+?|^$'.includes(char)) {
      add(1);
    }
  }
  return groups.reduce((sum, cost) => sum + cost, 0);
}

/** Where an escape that begins at `start` ends: `\Q…\E` is literal text, `\pL` and `\p{Greek}` are classes. */
function escapeEnd(pattern: string, start: number): number {
  const kind = pattern[start + 1];
  if (kind === 'Q') {
    const end = pattern.indexOf('\\E', start + 2);
    return end < 0 ? pattern.length : end + 2;
  }
  if (kind !== undefined && 'pPx'.includes(kind) && pattern[start + 2] === '{') {
    const end = pattern.indexOf('}', start + 3);
    return end < 0 ? pattern.length : end + 1;
  }
  return Math.min(pattern.length, kind === 'p' || kind === 'P' ? start + 3 : start + 2);
}

/** Where a bracket expression ends; one that is not closed runs to the end. */
function classEnd(pattern: string, start: number): number {
  let i = start + 1;
  if (pattern[i] === '^') i++;
  // A bracket that comes first stands for itself.
  if (pattern[i] === ']') i++;
  for (; i < pattern.length; i++) {
    if (pattern[i] === '\\') i++;
    else if (pattern[i] === ']') return i + 1;
  }
  return pattern.length;
}

function countUnicodeClasses(pattern: string, from: number, to: number): number {
  let count = 0;
  for (let i = from; i < to - 1; i++) {
    if (pattern[i] !== '\\') continue;
    if (/[pP]/.test(pattern[i + 1]!)) count++;
    i++;
  }
  return count;
}
