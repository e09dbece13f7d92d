/** Of some names the one that a misspelt name most likely means, or undefined when none is near. Case does not count. */
export function nearestName(name: string, candidates: Iterable<string>): string | undefined {
  const wanted = name.toLowerCase();
  // One edit in three characters still reads as the same word; more is guessing.
  const most = Math.min(3, Math.ceil(wanted.length / 3));
  let nearest: { name: string; distance: number; prefix: number } | undefined;
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - wanted.length) > most) continue;
    const lower = candidate.toLowerCase();
    const distance = editDistance(wanted, lower);
    const prefix = commonPrefix(wanted, lower);
    // Of equally near names the one that begins alike is meant: `rat` is rate rather than rad.
    const isNearer =
      nearest === undefined ||
      distance < nearest.distance ||
      (distance === nearest.distance && prefix > nearest.prefix);
    if (distance <= most && isNearer) nearest = { name: candidate, distance, prefix };
  }
  return nearest?.name;
}

function commonPrefix(left: string, right: string): number {
  let length = 0;
  while (length < left.length && left[length] === right[length]) length++;
  return length;
}

/** Levenshtein's distance, where exchanging two neighbours counts as one edit (optimal string alignment). */
function editDistance(left: string, right: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i++) {
    const row = [i];
    for (let j = 1; j <= right.length; j++) {
      const same = left[i - 1] === right[j - 1];
      let cost = Math.min(previous[j]! + 1, row[j - 1]! + 1, previous[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && left[i - 1] === right[j - 2] && left[i - 2] === right[j - 1]) {
        cost = Math.min(cost, beforePrevious[j - 2]! + 1);
      }
      row.push(cost);
    }
    [beforePrevious, previous] = [previous, row];
  }
  return previous[right.length]!;
}
