import { expect, test } from 'vitest';
import { labelsOf } from '../../src/model/labels.ts';
import { shardOf } from '../../src/shard/router.ts';
import { INPUT_LABEL } from '../../src/model/input-label.ts';

test('an input is in the shard of its output, which its labels alone tell', () => {
  for (let i = 0; i < 50; i++) {
    const output = { __name__: 'x_total', code: `${i}` };
    const shard = shardOf(labelsOf(output), 5);
    for (const input of ['[]', 'a', 'b']) {
      expect(shardOf(labelsOf({ ...output, [INPUT_LABEL]: input }), 5)).toBe(shard);
    }
  }
});
