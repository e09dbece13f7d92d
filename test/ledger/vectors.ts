import { readFileSync } from 'node:fs';

/** fixtures/ledger/go.json: what Go's transparency log makes of the leaves `leaf 0`, `leaf 1`, … */
export interface GoVectors {
  readonly origin: string;
  readonly skey: string;
  readonly vkey: string;
  readonly size: number;
  /** By size, in hex. */
  readonly roots: Readonly<Record<string, string>>;
  readonly records: readonly GoProof[];
  /** `Index` is the smaller size here. */
  readonly trees: readonly GoProof[];
  /** SHA-256 of each tile, by its path. */
  readonly tiles: Readonly<Record<string, string>>;
  readonly checkpoint: string;
  readonly witness: { readonly at: number; readonly skey: string; readonly vkey: string; readonly line: string };
}

interface GoProof {
  readonly Index: number;
  readonly Size: number;
  readonly Proof: readonly string[];
}

export function goVectors(): GoVectors {
  return JSON.parse(readFileSync('fixtures/ledger/go.json', 'utf8')) as GoVectors;
}

/** Name, index and size, leaf and root in hex (or two sizes, two roots), proof, and whether it is right. */
export type MerkleVector = readonly [string, number, number, string, string, readonly string[], boolean];

export function merkleVectors(): { readonly inclusion: MerkleVector[]; readonly consistency: MerkleVector[] } {
  return JSON.parse(readFileSync('fixtures/ledger/transparency-dev-merkle.json', 'utf8')) as {
    inclusion: MerkleVector[];
    consistency: MerkleVector[];
  };
}

export function fromHex(hex: string): Uint8Array {
  return Buffer.from(hex, 'hex');
}

export function toHex(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString('hex');
}
