import { randomBytes } from 'node:crypto';
import { labelsKey, type Labels } from '../model/labels.ts';

/** Finds the reference of a label set without building a key string, which would cost more than all else in an append. */
export interface LabelTable {
  find(labels: Labels): number | undefined;
  /** Adds the label set `all[ref]`, which must not be in the table yet. */
  insert(ref: number): void;
  /** Takes out the label set `all[ref]`, which must be in the table and there be the newest with its hash. */
  remove(ref: number): void;
}

/**
 * Label sets with one hash are compared one by one up to this many. Beyond, which only a sender who aims at it reaches,
 * they are looked up by their keys, so that colliding label sets cannot slow an append down.
 */
const COLLISIONS_MAX = 16;

type Bucket = number | number[] | Map<string, number>;

/** `hash` gives a 32-bit integer, equal for equal label sets; tests pass a poor one. */
export function labelTable(all: readonly Labels[], hash: (labels: Labels) => number = seededHash()): LabelTable {
  const buckets = new Map<number, Bucket>();

  return {
    find(labels) {
      const bucket = buckets.get(hash(labels));
      if (bucket === undefined) return undefined;
      if (typeof bucket === 'number') return sameLabels(all[bucket]!, labels) ? bucket : undefined;
      if (bucket instanceof Map) return bucket.get(labelsKey(labels));
      return bucket.find((ref) => sameLabels(all[ref]!, labels));
    },
    insert(ref) {
      const key = hash(all[ref]!);
      const bucket = buckets.get(key);
      if (bucket === undefined) buckets.set(key, ref);
      else if (typeof bucket === 'number') buckets.set(key, [bucket, ref]);
      else if (bucket instanceof Map) bucket.set(labelsKey(all[ref]!), ref);
      else if (bucket.push(ref) > COLLISIONS_MAX) {
        buckets.set(key, new Map(bucket.map((one) => [labelsKey(all[one]!), one])));
      }
    },
    remove(ref) {
      const key = hash(all[ref]!);
      const bucket = buckets.get(key);
      if (bucket instanceof Map) bucket.delete(labelsKey(all[ref]!));
      else if (Array.isArray(bucket)) bucket.pop();
      else buckets.delete(key);
    },
  };
}

export function sameLabels(a: Labels, b: Labels): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** A multiplicative hash over every character (in the manner of FNV-1a), the lengths being part of it. */
function seededHash(): (labels: Labels) => number {
  const seed = randomBytes(4).readInt32LE();
  return (labels) => {
    let hash = seed;
    for (let i = 0; i < labels.length; i++) {
      const text = labels[i]!;
      for (let j = 0; j < text.length; j++) hash = Math.imul(hash ^ text.charCodeAt(j), 0x01000193);
      hash = Math.imul(hash ^ (text.length + 0x10000), 0x85ebca6b);
    }
    return hash ^ (hash >>> 16);
  };
}
