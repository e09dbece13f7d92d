import { createHash } from 'node:crypto';

/*
 * The Merkle tree of RFC 6962, section 2.1, over SHA-256. A complete subtree is named by its level and its position in it:
 * (0, i) is leaf i, and (l, p) covers the leaves from p * 2^l on. Sizes go past 32 bits, so nothing here uses bit operators
 * on them.
 */

/** Reads the hash of a complete subtree. */
export type ReadSubtree = (level: number, position: number) => Uint8Array;

export const HASH_BYTES = 32;

const LEAF_PREFIX = Buffer.of(0x00);
const NODE_PREFIX = Buffer.of(0x01);

/** The root of a tree without leaves. */
export const EMPTY_ROOT: Uint8Array = createHash('sha256').digest();

export function leafHash(leaf: Uint8Array): Uint8Array {
  return createHash('sha256').update(LEAF_PREFIX).update(leaf).digest();
}

export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return createHash('sha256').update(NODE_PREFIX).update(left).update(right).digest();
}

/** How many complete subtrees a tree of this size has, leaves included. */
export function subtreesOf(size: number): number {
  let count = 0;
  for (let left = size; left > 0; left = Math.floor(left / 2)) count += left;
  return count;
}

/**
 * The place of a complete subtree when all are written down as they come to be: those that a leaf completes follow its own
 * hash from the lowest level up. Appending never changes a place.
 */
export function subtreeIndex(level: number, position: number): number {
  return subtreesOf((position + 1) * 2 ** level - 1) + level;
}

/** The complete subtrees that a leaf completes, its own hash first; `read` gives those that were there before. */
export function subtreesCompletedBy(index: number, leaf: Uint8Array, read: ReadSubtree): Uint8Array[] {
  const hashes = [leaf];
  let position = index;
  for (let level = 0; position % 2 === 1; level++) {
    hashes.push(nodeHash(read(level, position - 1), hashes[level]!));
    position = (position - 1) / 2;
  }
  return hashes;
}

/** The root of the tree of the first `size` leaves. */
export function rootOf(size: number, read: ReadSubtree): Uint8Array {
  return size === 0 ? EMPTY_ROOT : rangeHash(0, size, read);
}

/** The hashes that lead from a leaf to the root (RFC 6962, 2.1.1): `index` < `size`. */
export function inclusionProof(index: number, size: number, read: ReadSubtree): Uint8Array[] {
  const proof: Uint8Array[] = [];
  let start = 0;
  let end = size;
  while (end - start > 1) {
    const middle = start + split(end - start);
    if (index < middle) {
      proof.push(rangeHash(middle, end, read));
      end = middle;
    } else {
      proof.push(rangeHash(start, middle, read));
      start = middle;
    }
  }
  return proof.reverse();
}

/** The hashes that show a tree to be the start of a larger one (RFC 6962, 2.1.2): `first` <= `second`. Empty for 0 and for equal ones. */
export function consistencyProof(first: number, second: number, read: ReadSubtree): Uint8Array[] {
  if (first === 0 || first === second) return [];
  const proof: Uint8Array[] = [];
  let start = 0;
  let end = second;
  // Down to the node of the larger tree that ends where the smaller tree does.
  while (first !== end) {
    const middle = start + split(end - start);
    if (first <= middle) {
      proof.push(rangeHash(middle, end, read));
      end = middle;
    } else {
      proof.push(rangeHash(start, middle, read));
      start = middle;
    }
  }
  // Where that node begins with the tree it is the smaller tree itself, whose root the verifier has.
  if (start > 0) proof.push(rangeHash(start, end, read));
  return proof.reverse();
}

/** The root that a proof leads to; undefined when no tree of this size has such a proof. */
export function rootByInclusion(
  index: number,
  size: number,
  leaf: Uint8Array,
  proof: readonly Uint8Array[],
): Uint8Array | undefined {
  if (!isSize(size) || !isSize(index) || index >= size || !areHashes([leaf, ...proof])) return undefined;
  let hash = leaf;
  let used = 0;
  let position = index;
  let last = size - 1;
  // `position` and `last` are those of the path's node and of the tree's last one, level by level (RFC 9162, 2.1.3.2).
  for (; last > 0; position = Math.floor(position / 2), last = Math.floor(last / 2)) {
    // A last node without a sibling is its own parent.
    if (position === last && position % 2 === 0) continue;
    const sibling = proof[used++];
    if (sibling === undefined) return undefined;
    hash = position % 2 === 1 ? nodeHash(sibling, hash) : nodeHash(hash, sibling);
  }
  return used === proof.length ? hash : undefined;
}

/** Whether the tree of the second size and root starts with that of the first. An empty tree is the start of every other. */
export function isConsistent(
  first: { readonly size: number; readonly root: Uint8Array },
  second: { readonly size: number; readonly root: Uint8Array },
  proof: readonly Uint8Array[],
): boolean {
  if (!isSize(first.size) || !isSize(second.size) || first.size > second.size) return false;
  if (!areHashes([first.root, second.root, ...proof])) return false;
  if (first.size === 0 && !isEqual(first.root, EMPTY_ROOT)) return false;
  if (first.size === second.size) return proof.length === 0 && isEqual(first.root, second.root);
  if (first.size === 0) return proof.length === 0;

  let position = first.size - 1;
  let last = second.size - 1;
  // Up to the largest subtree that ends where the smaller tree does (RFC 9162, 2.1.4.2).
  while (position % 2 === 1) {
    position = (position - 1) / 2;
    last = Math.floor(last / 2);
  }
  let used = 0;
  // It is the whole smaller tree where nothing is left of it.
  const start = position === 0 ? first.root : proof[used++];
  if (start === undefined) return false;
  let older = start;
  let newer = start;
  for (; last > 0; position = Math.floor(position / 2), last = Math.floor(last / 2)) {
    if (position === last && position % 2 === 0) continue;
    const sibling = proof[used++];
    if (sibling === undefined) return false;
    if (position % 2 === 1) {
      older = nodeHash(sibling, older);
      newer = nodeHash(sibling, newer);
    } else {
      newer = nodeHash(newer, sibling);
    }
  }
  return used === proof.length && isEqual(older, first.root) && isEqual(newer, second.root);
}

/** A tree that is built leaf by leaf and remembers the hashes of log2(size) subtrees only. */
export interface TreeHasher {
  readonly size: number;
  add(leaf: Uint8Array): void;
  root(): Uint8Array;
}

export function treeHasher(
  onSubtree: (level: number, position: number, hash: Uint8Array) => void = () => {},
): TreeHasher {
  // The complete subtrees that the tree falls into, by level.
  const edge: (Uint8Array | undefined)[] = [];
  let size = 0;
  return {
    get size() {
      return size;
    },
    add(leaf) {
      for (const [level, hash] of subtreesCompletedBy(size, leaf, (below) => edge[below]!).entries()) {
        const position = Math.floor(size / 2 ** level);
        onSubtree(level, position, hash);
        edge[level] = hash;
      }
      size++;
    },
    root: () => rootOf(size, (level) => edge[level]!),
  };
}

export function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** The hash over a range that stands for a node of the tree: aligned, and complete unless it reaches the tree's end. */
function rangeHash(start: number, end: number, read: ReadSubtree): Uint8Array {
  const size = end - start;
  const left = split(size);
  if (left * 2 === size || size === 1) return read(Math.log2(size), start / size);
  return nodeHash(rangeHash(start, start + left, read), rangeHash(start + left, end, read));
}

/** The largest power of two below `size`. */
function split(size: number): number {
  let power = 1;
  while (power * 2 < size) power *= 2;
  return power;
}

function isSize(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function areHashes(hashes: readonly Uint8Array[]): boolean {
  return hashes.every((hash) => hash.length === HASH_BYTES);
}
