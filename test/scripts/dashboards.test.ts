import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { FEDERATION } from '../../dashboards/federation.ts';
import { runJson } from '../json-program.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const FILE = join(ROOT, 'dashboards', 'federation.json');

it('the JSON is what its source makes', () => {
  expect(JSON.parse(readFileSync(FILE, 'utf8'))).toEqual(FEDERATION);
});

it.each(['eu-west', 'us-east', 'ap-south'])('every query is answered under the policy of %s', async (domain) => {
  const policy = join(ROOT, 'rules', 'demo', `${domain}.policy.yaml`);
  const { code, summary, log } = await runJson(join(ROOT, 'src', 'cli', 'main.ts'), [
    'check',
    FILE,
    '--policy',
    policy,
    '--json',
  ]);
  expect([code, log]).toEqual([0, '']);
  expect(summary).toMatchObject({ total: 12, shareAnswered: 1 });
});
