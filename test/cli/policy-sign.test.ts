import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { newKey, verifierOf } from '../../src/base/note-key.ts';
import { policyBundleCommand, policySignCommand } from '../../src/cli/policy-sign.ts';
import { readBundle } from '../../src/policy/bundle.ts';

const HEAD = 'version: 1\ndomain: eu\n';
const COMPLIANCE = newKey('compliance.example');
const OPERATOR = newKey('operator.example');

let dir: string;
let said: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'comity-sign-'));
  file('compliance.key', COMPLIANCE.skey);
  file('operator.key', OPERATOR.skey);
  file('keys', `# who may sign\ncompliance=${COMPLIANCE.vkey}\n\noperator=${OPERATOR.vkey}\n`);
  file('sum.yaml', `${HEAD}metrics: [{match: up, operators: [sum]}]\n`);
  file('open.yaml', `${HEAD}metrics: [{match: up, class: open}]\n`);
  file('global.yaml', 'version: 1\ndomain: "*"\n');
  said = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    said += String(text);
    return true;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(dir, { recursive: true });
});

function file(name: string, text: string): void {
  writeFileSync(join(dir, name), text, { mode: 0o600 });
}

/** Runs the command with `@name` for a file of the folder; gives what it prints. */
async function run(command: 'sign' | 'bundle', line: string): Promise<string> {
  said = '';
  const args = line.split(' ').map((word) => word.replace('@', `${dir}/`));
  const made = command === 'sign' ? policySignCommand() : policyBundleCommand();
  await made.exitOverride().parseAsync(args, { from: 'user' });
  return said;
}

const bundle = (name: string) => readBundle(readFileSync(join(dir, name), 'utf8')).bundle;

test('bundles follow one another, and say what agents will ask for', async () => {
  expect(
    await run('sign', '--key @compliance.key --global @global.yaml --domain eu=@sum.yaml --out @1.json'),
  ).toContain('The first bundle that an agent takes needs the signature of compliance.');
  expect(bundle('1.json')).toMatchObject({ version: 1, previous: '', global: 'version: 1\ndomain: "*"\n' });
  const days = (bundle('1.json').expiresMs - bundle('1.json').createdMs) / 86_400_000;
  expect(days).toBe(90);

  const second = '--previous @1.json --global @global.yaml --expires 2100-01-01T00:00:00Z --out @2.json --domain';
  const words = await run('sign', `--key @operator.key ${second} eu=@open.yaml`);
  expect(words).toContain('It lets out more in eu: that needs the signature of compliance.');
  expect(words).toContain('It stays in force for longer');
  expect(bundle('2.json')).toMatchObject({ version: 2, previous: bundle('1.json').digest });
  await expect(run('bundle', 'verify @2.json --keys @keys --previous @1.json')).rejects.toThrow(
    /agents of eu refuse it: .*longer/,
  );

  await run('sign', '@2.json --key @compliance.key --out @2.json');
  const verified = await run('bundle', 'verify @2.json --keys @keys --previous @1.json');
  expect(verified).toContain(`signed for compliance by compliance.example+${verifierOf(COMPLIANCE.vkey).id}`);
  expect(verified).toContain('eu: its agents take it');
  expect(await run('bundle', 'show @2.json')).toContain(`previous   ${bundle('1.json').digest}`);
  expect(JSON.parse(await run('bundle', 'show @2.json --json'))).toMatchObject({ version: 2, canary: false });

  await run('sign', '--key @operator.key --previous @2.json --domain eu=@sum.yaml --expires 1d --canary --out @3.json');
  expect(await run('bundle', `verify @3.json --keys @keys --previous @2.json`)).toContain(
    'eu: its agents decide by it in shadow',
  );
});

test.for<[string, string, RegExp]>([
  ['sign', '--domain eu=@sum.yaml --out @x', /give --key/],
  ['sign', '--key @compliance.key --out @x', /give --global or --domain/],
  ['sign', '--key @compliance.key --domain eu --out @x', /write name=file/],
  ['sign', '--key @compliance.key --domain eu=@sum.yaml --domain eu=@open.yaml --out @x', /two documents/],
  ['sign', '--key @compliance.key --domain us=@sum.yaml --out @x', /for domain eu, not for us/],
  ['sign', '--key @compliance.key --domain eu=@sum.yaml --version 1.5 --out @x', /whole number/],
  ['sign', '--key @compliance.key --domain eu=@sum.yaml --expires soon --out @x', /--expires soon/],
  ['sign', '--key @compliance.key --domain eu=@sum.yaml --expires 2000-01-01T00:00:00Z --out @x', /expires before/],
  ['sign', `--key @compliance.key --domain eu=@sum.yaml --previous ${'a'.repeat(64)} --out @x`, /give --version/],
  ['sign', '--key @compliance.key --domain eu=@sum.yaml --previous @sum.yaml --out @x', /sum.yaml: policy bundle/],
  ['sign', '--key @keys --domain eu=@sum.yaml --out @x', /signing key .*keys/],
  ['bundle', 'show @sum.yaml', /sum.yaml: policy bundle: the envelope/],
  ['bundle', 'verify @sum.yaml --keys compliance', /write compliance=KEY/],
  ['bundle', 'verify @sum.yaml --keys compliance=x', /the key "x"/],
])('%s %s', async ([command, line, want]) => {
  await expect(run(command as 'sign' | 'bundle', line)).rejects.toThrow(want);
});

test('a bundle that others have signed is not verified', async () => {
  await run('sign', '--key @operator.key --domain eu=@sum.yaml --out @1.json');
  await expect(run('bundle', `verify @1.json --keys compliance=${COMPLIANCE.vkey}`)).rejects.toThrow(
    'none of the given keys',
  );
  await expect(run('sign', '@1.json --key @compliance.key --domain eu=@open.yaml --out @1.json')).rejects.toThrow(
    'nothing else',
  );
});
