import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { globSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { messageOf } from '../../src/base/errors.ts';
import { policyCommand } from '../../src/cli/policy.ts';
import { policyJsonSchema } from '../../src/policy/json-schema.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'comity-policy-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Runs `comity policy …` as the program does. */
async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  try {
    await policyCommand().parseAsync(args, { from: 'user' });
  } catch (error) {
    err = messageOf(error);
    process.exitCode = 1;
  } finally {
    write.mockRestore();
  }
  const code = Number(process.exitCode ?? 0);
  process.exitCode = undefined;
  return { code, out, err };
}

async function file(name: string, text: string): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, text);
  return path;
}

describe('the example policies', () => {
  it('let out what their tests say', async () => {
    const { code, out } = await run('test', 'rules');
    expect([code, out]).toEqual([0, expect.stringMatching(/^\d+ files: \d+ passed, 0 failed\n$/)]);
    expect(Number(/: (\d+) passed/.exec(out)![1])).toBeGreaterThan(40);
  });

  it('are valid, and name the schema that editors read, which is current', async () => {
    for (const folder of ['bank', 'hospital', 'cluster-operator', 'demo']) {
      expect(await run('check', `rules/${folder}`)).toMatchObject({ code: 0, err: '' });
    }
    for (const path of globSync('rules/{bank,hospital,cluster-operator}/*.policy.yaml')) {
      expect([path, (await readFile(path, 'utf8')).split('\n')[0]]).toEqual([
        path,
        '# yaml-language-server: $schema=../policy.schema.json',
      ]);
    }
    // node scripts/policy-schema.ts writes it.
    expect(await readFile('rules/policy.schema.json', 'utf8')).toBe(policyJsonSchema());
  });
});

describe('comity policy test', () => {
  it('tells what came in place of what was expected, and fails', async () => {
    await file('one.policy.yaml', '{version: 1, domain: eu, metrics: [{match: m, min_series: 2}]}');
    const path = await file(
      'one.policy-test.yaml',
      `
load: |
  load 1m
    m{service="a", user_id="u1"} 0+1x20
    m{service="a", user_id="u2"} 0+1x20
    m{service="b", user_id="u3"} 0+1x20
queries:
  - {query: m, is: allowed}
  - {query: sum by (service) (m), is: allowed, series: ['{service="a"}']}
  - {query: sum by (service) (m), is: allowed, series: ['{service="a"}', '{service="b"}']}
  - {query: sum by (user_id) (m), is: refused label_not_permitted user_id}
  - {query: 'm[5m]', is: refused range_vector}
  - {query: 'sum(', is: allowed}
redactions:
  - name: a person
    metrics:
      resourceMetrics:
        - scopeMetrics:
            - metrics:
                - name: visits
                  gauge: {dataPoints: [{asDouble: 1, timeUnixNano: '1000000000', attributes: [{key: user.id, value: {stringValue: alice}}]}]}
    without: [alice]
  - name: a person's visits
    metrics:
      resourceMetrics:
        - scopeMetrics:
            - metrics:
                - name: visits
                  gauge: {dataPoints: [{asDouble: 1, timeUnixNano: '1000000000', attributes: [{key: error.type, value: {stringValue: late}}]}]}
    without: [late]
`,
    );
    const { code, out } = await run('test', path, '--json');
    const results = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { name: string; passed: boolean; got: string });
    expect(code).toBe(1);
    expect(results.filter(({ passed }) => !passed).map(({ name, got }) => [name, got])).toEqual([
      ['m', 'refused class_aggregate m'],
      ['sum by (service) (m)', '{service="a"}'],
      ['sum(', expect.stringContaining('error:')],
      ["a person's visits", 'with late'],
    ]);
    expect((await run('test', dir)).out).toContain('1 files: 6 passed, 4 failed');
  });

  it.each<[string, RegExp]>([
    ['queries: []', /expects nothing/],
    ['queries: [{query: up, is: maybe}]', /\/queries\/0\/is/],
    ['load: "clear"\nqueries: [{query: up, is: allowed}]', /only load commands/],
    ['domain: us\nqueries: [{query: up, is: allowed}]', /its policies are for eu/],
  ])('%s', async (text, want) => {
    await file('one.policy.yaml', '{version: 1, domain: eu}');
    expect(await run('test', await file('bad.policy-test.yaml', text))).toMatchObject({
      code: 1,
      err: expect.stringMatching(want),
    });
    await rm(join(dir, 'bad.policy-test.yaml'));
  });
});

describe('comity policy check', () => {
  it('warns of what may not be meant', async () => {
    const path = await file(
      'odd.policy.yaml',
      `
version: 1
domain: eu
labels: {permit: ['*'], match: [shop], deny: [pod]}
metrics:
  - {match: 'a*', class: open}
  - {match: 'a*', class: sealed}
  - {match: 'p*', class: protected}
  - {match: 'b*', class: aggregate, min_series: 5}
`,
    );
    const names = await file('names.txt', '# held\na_x\nb_x\nc_x\nc_y\nc_y\np_x\n');
    const [checked] = JSON.parse((await run('check', path, '--json', '--metrics', names)).out) as [
      { classes: object; warnings: { code: string; message: string }[] },
    ];
    expect(checked.classes).toEqual({ open: 1, aggregate: 3, protected: 1 });
    expect(checked.warnings.map(({ code, message }) => `${code}: ${message}`)).toEqual([
      expect.stringMatching(/^permits_all: .*pseudonyms/),
      'open_series: open: series leave one by one, with their labels: a*',
      expect.stringMatching(/^not_built: protected behaves as sealed/),
      'never_decides: the rule a* never decides: a* decides all that it matches',
      'no_effect: labels.match lists shop, which matches without being listed',
      'small_groups: min_series 1: groups of one series show for 2 of 5 metrics',
    ]);
  });

  it('fails for what is not valid, naming file, layer and field', async () => {
    const path = await file('global.policy.yaml', "{version: 1, domain: '*', labels: {prmit: []}}");
    expect(await run('check', path)).toMatchObject({
      code: 1,
      err: `${path} (global): /labels/prmit is not a known field (did you mean permit?)`,
    });
  });
});

it('comity policy diff exits with 1 if anything is looser and that is asked', async () => {
  const before = await file('before.policy.yaml', '{version: 1, domain: eu}');
  const after = await file(
    'after.policy.yaml',
    '{version: 1, domain: eu, labels: {permit: [pod]}, default_class: sealed}',
  );
  const lines = 'looser: label pod: stays -> leaves\nstricter: metric *: aggregate -> sealed\n';
  expect(await run('diff', before, after)).toMatchObject({ code: 0, out: lines });
  expect(await run('diff', before, after, '--loosening')).toMatchObject({ code: 1, out: lines });
  expect(await run('diff', before, before, '--loosening')).toMatchObject({ code: 0, out: 'the same\n' });
  expect(await run('diff', 'rules/demo', before)).toMatchObject({
    code: 1,
    err: expect.stringContaining('several domains'),
  });
});

it('comity policy explain names the document and the rule that decide', async () => {
  const { out } = await run(
    'explain',
    'rules/bank',
    '--metric',
    'payment_card_total',
    '--label',
    'branch',
    '--label',
    'shard',
    '--query',
    'max(payment_amount_sum)',
    '--json',
  );
  const [metric, branch, shard, query] = JSON.parse(out) as {
    outcome: string;
    documents: { layer: string; says: string }[];
  }[];
  expect(metric).toMatchObject({
    outcome: 'class sealed',
    documents: [
      { layer: 'global', says: 'rule payment*: class aggregate, operators sum count avg, min_series 5' },
      { layer: 'domain', says: 'nothing' },
      { layer: 'local', says: 'rule payment_card_*: class sealed' },
    ],
  });
  expect(branch!.outcome).toMatch(/^stays; it is public/);
  expect(branch!.documents[0]!.says).toBe('permit does not list it, deny lists it');
  expect(shard!.outcome).toMatch(/^leaves and matches; it is quasi/);
  expect(query!.outcome).toMatch(
    /^refused; max\(payment_amount_sum\) \(1:1\): the policy of domain bank-de does not list max/,
  );
  expect(await run('explain', 'rules/bank')).toMatchObject({ code: 1, err: expect.stringContaining('--metric') });
});
