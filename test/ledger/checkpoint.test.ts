import { describe, expect, test } from 'vitest';
import { newKey, signerOf, verifierOf } from '../../src/base/note-key.ts';
import { openCheckpoint, readCheckpoint, signCheckpoint } from '../../src/ledger/checkpoint.ts';
import { cosignatureLine, cosignedAt, readAddCheckpoint, writeAddCheckpoint } from '../../src/ledger/witness.ts';
import { fromHex, goVectors, toHex } from './vectors.ts';

const go = goVectors();
const verifier = verifierOf(go.vkey);
const witness = verifierOf(go.witness.vkey);

describe('a checkpoint', () => {
  test('is what Go signs, byte for byte', () => {
    const root = fromHex(go.roots[String(go.size)]!);
    expect(signCheckpoint({ origin: go.origin, size: go.size, root }, signerOf(go.skey))).toBe(go.checkpoint);
    const opened = openCheckpoint(go.checkpoint, verifier);
    expect([opened.origin, opened.size, toHex(opened.root)]).toEqual([go.origin, go.size, toHex(root)]);
  });

  test('is refused whatever single character of it is another one', () => {
    const { checkpoint } = go;
    for (let i = 0; i < checkpoint.length; i++) {
      for (const other of ['\n', ' ', '0', 'A', '+', '\u0000', '—']) {
        if (checkpoint[i] === other) continue;
        const changed = checkpoint.slice(0, i) + other + checkpoint.slice(i + 1);
        expect(() => openCheckpoint(changed, verifier), `character ${i}: ${JSON.stringify(other)}`).toThrow(
          'checkpoint: ',
        );
      }
      expect(() => openCheckpoint(checkpoint.slice(0, i), verifier)).toThrow('checkpoint: ');
    }
  });

  test('of another log is refused though the key is right', () => {
    const { skey, vkey } = newKey('a.example');
    const note = signCheckpoint({ origin: 'b.example', size: 1, root: new Uint8Array(32) }, signerOf(skey));
    expect(() => openCheckpoint(note, verifierOf(vkey))).toThrow('it is of the log "b.example", not of a.example');
  });

  test('takes signatures of others along', () => {
    const note = go.checkpoint + go.witness.line;
    expect(openCheckpoint(note, verifier).signatures.map(({ name }) => name)).toEqual([go.origin, witness.name]);
    expect(() => openCheckpoint(note, verifierOf(newKey(go.origin).vkey))).toThrow('it has no signature of');
  });

  test.each([
    ['extension lines', go.checkpoint.replace('\n\n', '\nmore\n\n'), 'does not end after three lines'],
    ['a size with a zero before it', go.checkpoint.replace('\n700\n', '\n0700\n'), 'its size is no number'],
    [
      'a size past what numbers hold',
      go.checkpoint.replace('\n700\n', '\n9999999999999999\n'),
      'its size is no number',
    ],
    // Two bits of the last character before = are no part of any byte.
    ['another text of the same root', go.checkpoint.replace('QA=\n', 'QB=\n'), 'its root is not'],
    ['no signature', go.checkpoint.slice(0, go.checkpoint.indexOf('—')), 'it is no signed note'],
    ['a carriage return', go.checkpoint.replace('\n700\n', '\r\n700\n'), 'characters that no note may have'],
    ['half a character', `\ud800${go.checkpoint}`, 'characters that no note may have'],
    ['too many signatures', go.checkpoint + go.witness.line.repeat(64), 'more than 64 signatures'],
    ['too many characters', go.checkpoint + go.witness.line.repeat(200), 'longer than'],
  ])('with %s is refused', (_what, note, fault) => {
    expect(() => readCheckpoint(note)).toThrow(fault);
  });
});

describe('a cosignature', () => {
  test('is what Go makes, byte for byte', () => {
    const line = cosignatureLine(go.checkpoint, signerOf(go.witness.skey), go.witness.at * 1000 + 999);
    expect(line).toBe(go.witness.line);
  });

  test('tells its time, and fits this checkpoint alone', () => {
    const { body, signatures } = readCheckpoint(go.checkpoint + go.witness.line);
    expect(cosignedAt(body, signatures[1]!, witness)).toBe(go.witness.at);
    expect(cosignedAt(body.replace('700', '701'), signatures[1]!, witness)).toBeUndefined();
    const later = { ...signatures[1]!, bytes: signatures[1]!.bytes.map((byte, i) => (i === 7 ? byte + 1 : byte)) };
    expect(cosignedAt(body, later, witness)).toBeUndefined();
    expect(cosignedAt(body, signatures[0]!, witness)).toBeUndefined();
    expect(cosignedAt(body, signatures[1]!, verifier)).toBeUndefined();
  });

  test('is not made with the key of a log', () => {
    expect(() => cosignatureLine(go.checkpoint, signerOf(go.skey), 0)).toThrow('is no key of a witness');
  });
});

describe('add-checkpoint', () => {
  const proof = go.trees.find(({ Index, Size }) => Index === 65 && Size === 700)!.Proof.map(fromHex);
  const written = writeAddCheckpoint({ oldSize: 65, proof, checkpoint: go.checkpoint });

  test('is read as it was written', () => {
    const read = readAddCheckpoint(written);
    expect({ ...read, proof: read.proof.map(toHex) }).toEqual({
      oldSize: 65,
      proof: proof.map(toHex),
      checkpoint: go.checkpoint,
    });
    expect(readAddCheckpoint(writeAddCheckpoint({ oldSize: 0, proof: [], checkpoint: go.checkpoint })).proof).toEqual(
      [],
    );
  });

  test.each([
    ['', 'no empty line'],
    [written.replace('old 65', 'old 065'), 'the first line'],
    [written.replace('old 65', 'new 65'), 'the first line'],
    [written.replace('old 65\n', 'old 65\nAAAA\n'), 'a line of the proof'],
    [`old 65\n${`${Buffer.alloc(32).toString('base64')}\n`.repeat(64)}\nx`, 'more than 63 hashes'],
    ['x'.repeat(100_000), 'too long'],
  ])('that is malformed is refused (%#)', (body, fault) => {
    expect(() => readAddCheckpoint(body)).toThrow(fault);
  });
});
