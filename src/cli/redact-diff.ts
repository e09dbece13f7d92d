/** One thing that was said, and what is stored of it; undefined where it was not said or is not stored. */
export interface Change {
  readonly place: string;
  readonly said: string | undefined;
  readonly stored: string | undefined;
}

/** Changes as a diff shows them: what stays, what goes (`-`), and what stands in its place (`+`). */
export function diffText(changes: readonly Change[]): string {
  const lines: string[] = [];
  for (const { place, said, stored } of changes) {
    const before = place === '' ? '' : `${place}: `;
    if (said === stored) lines.push(`  ${before}${said ?? ''}`);
    else {
      if (said !== undefined) lines.push(`- ${before}${said}`);
      if (stored !== undefined) lines.push(`+ ${before}${stored}`);
    }
  }
  return lines.join('\n');
}

/** What was said and what is stored, by their places, in the order in which it was said. */
export function changesOf(said: ReadonlyMap<string, string>, stored: ReadonlyMap<string, string>): Change[] {
  const places = new Set([...said.keys(), ...stored.keys()]);
  return [...places].map((place) => ({ place, said: said.get(place), stored: stored.get(place) }));
}
