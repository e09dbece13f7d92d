/** A glob in which `*` stands for any run of characters. Matched piece by piece: linear, whatever the pattern. */
export function globTest(glob: string): (text: string) => boolean {
  const [first, ...rest] = glob.split('*') as [string, ...string[]];
  if (rest.length === 0) return (text) => text === glob;
  const last = rest.pop()!;
  return (text) => {
    if (!text.startsWith(first)) return false;
    let at = first.length;
    for (const piece of rest) {
      const found = text.indexOf(piece, at);
      if (found < 0) return false;
      at = found + piece.length;
    }
    return text.length - last.length >= at && text.endsWith(last);
  };
}

/** Whether a text that begins with `prefix` may match a glob; never false where one can. */
export function globMeets(glob: string, prefix: string): boolean {
  const star = glob.indexOf('*');
  if (star < 0) return glob.startsWith(prefix);
  const fixed = glob.slice(0, star);
  return fixed.startsWith(prefix) || prefix.startsWith(fixed);
}

/** Whether some text may match both globs; never false where one does. */
export function globsMeet(a: string, b: string): boolean {
  if (!a.includes('*')) return globTest(b)(a);
  if (!b.includes('*')) return globTest(a)(b);
  const [headA, headB] = [headOf(a), headOf(b)];
  const [tailA, tailB] = [tailOf(a), tailOf(b)];
  return (headA.startsWith(headB) || headB.startsWith(headA)) && (tailA.endsWith(tailB) || tailB.endsWith(tailA));
}

function headOf(glob: string): string {
  return glob.slice(0, glob.indexOf('*'));
}

function tailOf(glob: string): string {
  return glob.slice(glob.lastIndexOf('*') + 1);
}
