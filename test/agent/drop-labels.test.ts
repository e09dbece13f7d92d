import { expect, test } from 'vitest';
import { openDropping } from '../../src/agent/drop-labels.ts';
import { batchBuilder } from '../../src/model/batch-builder.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { admission } from '../../src/policy/admit.ts';
import { domainKeys } from '../../src/policy/domain-key.ts';
import type { DropRule } from '../../src/policy/drop-labels.ts';

const keys = domainKeys(Buffer.alloc(32, 7));

function open(rules: readonly DropRule[], metadata = () => Promise.reject(new Error('asked'))) {
  return openDropping({
    admission: admission({ keys, domainLabel: 'domain' }),
    rules,
    keys,
    domainLabel: 'domain',
    metadata,
  });
}

test('a rule that takes off what says what a series is keeps the agent from starting', async () => {
  const fault = 'policy: /admit/drop/0/labels/0: "le" says what a series is and cannot be dropped';
  await expect(open([{ metrics: '*', labels: ['le'] }])).rejects.toThrow(fault);
});

test('without rules nobody asks the store, and batches stay as they are', async () => {
  const { batch, counts } = await open([]);
  const builder = batchBuilder();
  builder.add(labelsOf({ __name__: 'x' }), 1, 1);
  const built = builder.build();
  expect(batch(built)).toBe(built);
  expect(counts().size).toBe(0);
});
