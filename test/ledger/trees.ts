import { leafHash, nodeHash, treeHasher, type ReadSubtree } from '../../src/ledger/merkle.ts';

/** The complete subtrees of a log of some leaves. */
export function subtreesOver(leaves: readonly Uint8Array[]): ReadSubtree {
  const hashes = new Map<string, Uint8Array>();
  const tree = treeHasher((level, position, hash) => hashes.set(`${level}/${position}`, hash));
  for (const leaf of leaves) tree.add(leafHash(leaf));
  return (level, position) => {
    const hash = hashes.get(`${level}/${position}`);
    if (hash === undefined) throw new Error(`subtree ${level}/${position} is not complete`);
    return hash;
  };
}

/** The root by the words of RFC 6962, 2.1, over leaf hashes. */
export function rootByDefinition(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 1) return leaves[0]!;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return nodeHash(rootByDefinition(leaves.slice(0, split)), rootByDefinition(leaves.slice(split)));
}

export function numbered(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => new TextEncoder().encode(`leaf ${i}`));
}
