import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { messageOf } from '../../src/base/errors.ts';
import { writeProof, readProof, verifyProof } from '../../src/ledger/proof.ts';
import { openLedgerReader, proveEntry } from '../../src/ledger/reader.ts';
import { filledLedger, type FilledLedger } from './filled.ts';

let filled: FilledLedger;
beforeAll(async () => {
  filled = await filledLedger(300);
});
afterAll(() => filled.remove());

function proofOf(path: string, index: number): string {
  const reader = openLedgerReader(path);
  try {
    const [{ bytes: leaf }] = [...reader.entries(index, index + 1)] as unknown as [{ bytes: Uint8Array }];
    return writeProof({ leaf, index, proof: proveEntry(reader, index), checkpoint: reader.checkpoint });
  } finally {
    reader.close();
  }
}

describe('a proof of a leaf', () => {
  test('is the same from the file and from an export, and holds', () => {
    for (const index of [0, 1, 255, 256, 302]) {
      const proof = proofOf(filled.file, index);
      expect(proofOf(filled.folder, index)).toBe(proof);
      expect(verifyProof(proof, filled.keys)).toMatchObject({ origin: 'comity.dev/eu/agent-1', index, size: 303 });
    }
    expect(verifyProof(proofOf(filled.file, 1), filled.keys).leaf).toMatchObject({
      kind: 'policy',
      approvers: ['compliance'],
    });
  });

  test('is nothing where a character is another one', () => {
    const proof = proofOf(filled.folder, 4);
    const wrong: number[] = [];
    for (let at = 0; at < proof.length; at++) {
      const changed = proof.slice(0, at) + (proof[at] === 'Q' ? 'R' : 'Q') + proof.slice(at + 1);
      try {
        verifyProof(changed, filled.keys);
        wrong.push(at);
      } catch (error) {
        if (!/^(proof|leaf 4|leaf \d+|checkpoint): /.test(messageOf(error))) wrong.push(at);
      }
    }
    expect(wrong).toEqual([]);
  });

  test.each([
    ['', 'no empty line'],
    ['c2sp.org/tlog-proof@v2\nextra AA==\nindex 0\n\nx', 'its first line'],
    ['c2sp.org/tlog-proof@v1\nindex 0\n\nx', 'its second line'],
    ['c2sp.org/tlog-proof@v1\nextra AA==\nindex 00\n\nx', 'its third line'],
    ['c2sp.org/tlog-proof@v1\nextra AA==\nindex 0\nAA==\n\nx', 'hash 0 is not 32 bytes'],
    [`c2sp.org/tlog-proof@v1\nextra AA==\nindex 0\n${'AA==\n'.repeat(64)}\nx`, 'more than 63 hashes'],
    ['x'.repeat(200_000), 'too long'],
  ])('that is malformed is refused (%#)', (text, fault) => {
    expect(() => readProof(text)).toThrow(fault);
  });
});

test('entries are read in part, across files', () => {
  for (const path of [filled.file, filled.folder]) {
    const reader = openLedgerReader(path);
    const indices = (from?: number, to?: number): number[] => [...reader.entries(from, to)].map(({ index }) => index);
    expect(indices(254, 258)).toEqual([254, 255, 256, 257]);
    expect(indices(301)).toEqual([301, 302]);
    expect(indices(303, 400)).toEqual([]);
    expect(indices()).toHaveLength(303);
    expect(reader).toMatchObject({ origin: 'comity.dev/eu/agent-1', size: 303 });
    // A reader can be closed in the middle of them.
    reader.entries().next();
    reader.close();
  }
});
