import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  consistencyProof,
  EMPTY_ROOT,
  inclusionProof,
  isConsistent,
  isEqual,
  leafHash,
  rootByInclusion,
  rootOf,
  subtreeIndex,
  subtreesOf,
  treeHasher,
} from '../../src/ledger/merkle.ts';
import { tilesOf } from '../../src/ledger/tiles.ts';
import { randomFrom } from '../random.ts';
import { numbered, rootByDefinition, subtreesOver } from './trees.ts';
import { fromHex, goVectors, merkleVectors, toHex, type MerkleVector } from './vectors.ts';

const SEED = Number(process.env['COMITY_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const SIZES = 70;

/** The reference tree of Certificate Transparency: its leaves, and the root after each. */
const CT_LEAVES = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
const CT_ROOTS = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];

describe('Certificate Transparency’s reference tree', () => {
  const read = subtreesOver(CT_LEAVES.map(fromHex));

  test.each(CT_ROOTS.map((root, size) => ({ size, root })))('has its root after $size leaves', ({ size, root }) => {
    expect(toHex(rootOf(size, read))).toBe(root);
  });

  test.each([
    { index: 0, size: 1, proof: [] },
    {
      index: 0,
      size: 8,
      proof: [
        '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
        '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
        '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
      ],
    },
    {
      index: 5,
      size: 8,
      proof: [
        'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
        'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
        'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      ],
    },
    { index: 2, size: 3, proof: ['fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125'] },
  ])('has its path from leaf $index to the root of $size', ({ index, size, proof }) => {
    expect(inclusionProof(index, size, read).map(toHex)).toEqual(proof);
  });

  test.each([
    { from: 1, to: 1, proof: [] },
    {
      from: 1,
      to: 8,
      proof: [
        '96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
        '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
        '6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
      ],
    },
    {
      from: 6,
      to: 8,
      proof: [
        '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
        'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
        'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      ],
    },
  ])('has its proof that $from leaves became $to', ({ from, to, proof }) => {
    expect(consistencyProof(from, to, read).map(toHex)).toEqual(proof);
  });
});

describe('the vectors of transparency-dev/merkle', () => {
  const { inclusion, consistency } = merkleVectors();

  test('are all there', () => {
    expect([inclusion, consistency].map((all) => [all.length, all.filter((one) => one[6]).length])).toEqual([
      [98, 6],
      [98, 6],
    ]);
  });

  test.each(inclusion)('inclusion %s', (_name, index, size, leaf, root, proof, isRight) => {
    const found = rootByInclusion(index, size, fromHex(leaf), proof.map(fromHex));
    expect(found !== undefined && isEqual(found, fromHex(root))).toBe(isRight);
  });

  // Some have a few words in the place of a root. Only hashes are roots here, so the one of them that is right is wrong.
  const isHash = (root: string): boolean => root.length === 64;
  const hashed = consistency.map(([name, from, to, root1, root2, proof, isRight]): MerkleVector => [
    name,
    from,
    to,
    root1,
    root2,
    proof,
    isRight && isHash(root1) && isHash(root2),
  ]);

  test.each(hashed)('consistency %s', (_name, from, to, root1, root2, proof, isRight) => {
    const first = { size: from, root: fromHex(root1) };
    const second = { size: to, root: fromHex(root2) };
    expect(isConsistent(first, second, proof.map(fromHex))).toBe(isRight);
  });
});

describe('Go’s transparency log', () => {
  const go = goVectors();
  const read = subtreesOver(numbered(go.size));

  test('has the same roots', () => {
    const roots = Object.fromEntries(Object.keys(go.roots).map((size) => [size, toHex(rootOf(Number(size), read))]));
    expect(roots).toEqual(go.roots);
  });

  test('has the same proofs', () => {
    for (const { Index, Size, Proof } of go.records)
      expect(inclusionProof(Index, Size, read).map(toHex)).toEqual(Proof);
    for (const { Index, Size, Proof } of go.trees)
      expect(consistencyProof(Index, Size, read).map(toHex)).toEqual(Proof);
  });

  test('has the same tiles', () => {
    const tiles = [...tilesOf(go.size)].filter(({ level }) => level !== 'entries');
    const hashes = tiles.map(({ level, index, width, path }) => {
      const parts = Array.from({ length: width }, (_, i) => read(Number(level) * 8, index * 256 + i));
      return [path, createHash('sha256').update(Buffer.concat(parts)).digest('hex')];
    });
    expect(Object.fromEntries(hashes)).toEqual(go.tiles);
  });
});

describe(`logs of up to ${SIZES} leaves (seed ${SEED})`, () => {
  const random = randomFrom(SEED);
  const hashes = numbered(SIZES).map(leafHash);
  const read = subtreesOver(numbered(SIZES));
  const root = (size: number): Uint8Array => rootOf(size, read);

  test('have the root of the definition, leaf by leaf as well', () => {
    const tree = treeHasher();
    expect(isEqual(tree.root(), EMPTY_ROOT)).toBe(true);
    for (let size = 1; size <= SIZES; size++) {
      tree.add(hashes[size - 1]!);
      const want = toHex(rootByDefinition(hashes.slice(0, size)));
      expect([toHex(root(size)), toHex(tree.root())]).toEqual([want, want]);
    }
  });

  test('write their subtrees down one after another', () => {
    let place = 0;
    const tree = treeHasher((level, position) => expect(subtreeIndex(level, position)).toBe(place++));
    for (const hash of hashes) {
      tree.add(hash);
      expect(subtreesOf(tree.size)).toBe(place);
    }
  });

  test('prove every leaf of every size, and no other', () => {
    // Collected, since so many assertions would take a second.
    const wrong: string[] = [];
    for (let size = 1; size <= SIZES; size++) {
      for (let index = 0; index < size; index++) {
        const proof = inclusionProof(index, size, read);
        const check = (what: string, want: boolean, at: number, leaf: Uint8Array, by: readonly Uint8Array[]): void => {
          const found = rootByInclusion(at, size, leaf, by);
          if ((found !== undefined && isEqual(found, root(size))) !== want) wrong.push(`${what} ${index} of ${size}`);
        };
        const leaf = hashes[index]!;
        check('the leaf', true, index, leaf, proof);
        check('another leaf', false, index, hashes[(index + 1) % SIZES]!, proof);
        check('another index', size === 1, (index + 1) % size, leaf, proof);
        check('one hash more', false, index, leaf, [...proof, hashes[0]!]);
        if (proof.length === 0) continue;
        check('one hash less', false, index, leaf, proof.slice(1));
        check('a flipped bit', false, index, leaf, flipped(proof, random.int(0, proof.length - 1)));
      }
    }
    expect(wrong).toEqual([]);
  });

  test('prove to have grown from every smaller size, and from no other log', () => {
    const wrong: string[] = [];
    for (let to = 0; to <= SIZES; to++) {
      for (let from = 0; from <= to; from++) {
        const first = { size: from, root: root(from) };
        const second = { size: to, root: root(to) };
        const proof = consistencyProof(from, to, read);
        const check = (what: string, want: boolean, isSo: boolean): void => {
          if (isSo !== want) wrong.push(`${what} ${from} to ${to}`);
        };
        check('the logs', true, isConsistent(first, second, proof));
        check('another start', false, isConsistent({ size: from, root: leafHash(first.root) }, second, proof));
        check(
          'another end',
          from === 0 && to > 0,
          isConsistent(first, { size: to, root: leafHash(second.root) }, proof),
        );
        check('one hash more', false, isConsistent(first, second, [...proof, hashes[0]!]));
        if (from < to) check('the other way round', false, isConsistent(second, first, proof));
        if (proof.length === 0) continue;
        check('one hash less', false, isConsistent(first, second, proof.slice(0, -1)));
        check('a flipped bit', false, isConsistent(first, second, flipped(proof, random.int(0, proof.length - 1))));
      }
    }
    expect(wrong).toEqual([]);
  });
});

test('sizes that are none prove nothing', () => {
  const hash = leafHash(new Uint8Array());
  for (const size of [-1, 0.5, NaN, Infinity, 2 ** 53]) {
    expect(rootByInclusion(0, size, hash, [])).toBeUndefined();
    expect(rootByInclusion(size, 10, hash, [])).toBeUndefined();
    expect(isConsistent({ size, root: hash }, { size, root: hash }, [])).toBe(false);
  }
  expect(rootByInclusion(0, 2, hash, [hash.subarray(1)])).toBeUndefined();
});

function flipped(proof: readonly Uint8Array[], at: number): Uint8Array[] {
  return proof.map((hash, i) => (i === at ? hash.map((byte, j) => (j === 0 ? byte ^ 1 : byte)) : hash));
}
