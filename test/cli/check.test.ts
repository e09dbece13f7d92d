import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { messageOf } from '../../src/base/errors.ts';
import { checkCommand } from '../../src/cli/check.ts';
import type { Checked } from '../../src/cli/check-text.ts';
import { substituteVariables } from '../../src/cli/check-variables.ts';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'comity-check-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** Runs the command as the program does. */
async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  let out = '';
  let err = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  try {
    await checkCommand().parseAsync(args, { from: 'user' });
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

async function checked(...args: string[]): Promise<Checked> {
  return JSON.parse((await run('--json', ...args)).out) as Checked;
}

async function file(name: string, content: unknown): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const FOLDER = 'fixtures/dashboards';
const FILES = ['hosts.json', 'workloads.json', 'http.json', 'cluster.rules.yaml', 'slo.rules.yaml'].map(
  (name) => `${FOLDER}/${name}`,
);
const AGGREGATE = `${FOLDER}/aggregate.policy.yaml`;
const MIXED = `${FOLDER}/mixed.policy.yaml`;

/** The query that works, as a rule file has it. */
function rewrites({ files }: Checked): string[] {
  const works = files.flatMap(({ questions }) =>
    questions.flatMap((one) => (one.works === undefined || one.approx !== undefined ? [] : [one.works])),
  );
  // What a dashboard's variables stood for, so that it parses alone.
  return works.map((query) =>
    query.replaceAll(/\[\$\w+(:\$\w+)?\]/g, (_, step) => (step === undefined ? '[5m]' : '[1h:1m]')),
  );
}

describe('the dashboards and rules that exporters come with', () => {
  it('are answered where every metric is open', async () => {
    const made = await checked(...FILES);
    expect([made.total, made.counts.answered, made.counts.invalid]).toEqual([148, 148, 0]);
    expect(made.files.map(({ notPromql }) => notPromql)).toEqual([{ loki: 1 }, {}, { tempo: 1 }, {}, {}]);
    expect((await run(...FILES)).code).toBe(0);
  });

  it.each<[string, string[], number, number]>([
    ['aggregates by service only', [AGGREGATE], 62, 2],
    ['a mixed policy', [MIXED], 124, 0],
    ['both', [AGGREGATE, MIXED], 62, 2],
  ])(
    'under %s: so many are answered, and nearly all others have a rewrite that is',
    async (_, policies, answered, without) => {
      const options = policies.flatMap((policy) => ['--policy', policy]);
      const made = await checked(...FILES, ...options);
      const refused = made.files.flatMap(({ questions }) => questions.filter(({ outcome }) => outcome !== 'answered'));
      expect([made.counts.answered, made.counts.refused, made.counts.invalid]).toEqual([answered, 148 - answered, 0]);
      expect(refused.filter(({ works }) => works === undefined)).toHaveLength(without);
      expect(refused.every(({ why }) => why !== undefined && why !== '')).toBe(true);

      const exprs = rewrites(made).filter((query) => !query.startsWith('label_values('));
      const rules = { groups: [{ name: 'again', rules: exprs.map((expr, i) => ({ record: `r${i}`, expr })) }] };
      const again = await checked(await file('again.yaml', rules), ...options);
      expect(again.files[0]!.questions.filter(({ outcome }) => outcome !== 'answered')).toEqual([]);
      expect(again.total).toBeGreaterThan(20);
    },
  );

  it('need the parameter where a policy lists quantile', async () => {
    const { files } = await checked(`${FOLDER}/http.json`, '--policy', MIXED);
    const mean = files[0]!.questions.find(({ place }) => place === 'Mean latency / B');
    expect([mean?.outcome, mean?.works, mean?.approx]).toEqual(['refused', mean?.query, 0.01]);
    const sketched = await checked(`${FOLDER}/http.json`, '--policy', MIXED, '--approx', '0.01');
    expect(sketched.files[0]!.questions.find(({ place }) => place === 'Mean latency / B')?.outcome).toBe('approximate');
  });

  it('say where each comes from, and what works with the variables that it had', async () => {
    const { out, code } = await run(`${FOLDER}/hosts.json`, `${FOLDER}/cluster.rules.yaml`, '--policy', AGGREGATE);
    expect(code).toBe(2);
    expect(out).toContain('works  topk(5, 1 - avg(rate(node_cpu_seconds_total{job="$job",mode="idle"}[$window])))');
    expect(out).toContain('refused     line 18: hosts / alert FilesystemFillsUp\n');
    expect(out).toMatch(/\n\d+ queries: \d+ answered, \d+ refused; answered [\d.]+ %\n$/);
  });
});

describe('a dashboard', () => {
  const panel = (targets: unknown[], more: object = {}) => ({ id: 1, title: 'P', targets, ...more });

  it('is read through rows, library panels, annotations and variables', async () => {
    const path = await file('all.json', {
      dashboard: {
        rows: [{ panels: [panel([{ refId: 'A', expr: 'a' }])] }],
        panels: [
          { type: 'row', title: 'R', panels: [panel([{ refId: 'A', expr: 'b' }])] },
          { id: 2, title: 'L', libraryPanel: { uid: 'u' } },
          { id: 3, title: 'Gone', libraryPanel: { uid: 'none' } },
          panel([
            { refId: 'A', expr: '' },
            { refId: 'B', expr: 'c[5m]', instant: true },
            { refId: 'C', expr: 'c[5m]' },
          ]),
          panel([
            { expr: '{a="b"} |= "x"', datasource: { type: 'loki' } },
            { query: 'x', datasource: { type: 'tempo' } },
          ]),
          panel([
            { expr: 'd', datasource: '${DS_METRICS}' },
            { expr: 'e', datasource: '${DS_LOGS}' },
          ]),
        ],
        __inputs: [
          { name: 'DS_METRICS', pluginId: 'prometheus' },
          { name: 'DS_LOGS', pluginId: 'loki' },
        ],
        __elements: { u: { model: { libraryPanel: { uid: 'u' }, targets: [{ refId: 'A', expr: 'f' }] } } },
        annotations: {
          list: [
            { name: 'N', expr: 'g' },
            { name: 'built in', datasource: '-- Grafana --' },
          ],
        },
        templating: {
          list: [
            { name: 'v', type: 'query', query: 'query_result(h)' },
            { name: 'w', type: 'query', query: { query: 'label_values(i{a="b"}, job)' } },
            { name: 'x', type: 'query', query: 'label_values(job)' },
            { name: 'y', type: 'custom', query: '1,2' },
          ],
        },
      },
    });
    const { files } = await checked(path);
    const [only] = files;
    expect(only!.questions.map(({ place, query, outcome }) => [place, query, outcome])).toEqual([
      ['P / A', 'a', 'answered'],
      ['P / A', 'b', 'answered'],
      ['L / A', 'f', 'answered'],
      ['P / B', 'c[5m]', 'refused'],
      ['P / C', 'c[5m]', 'invalid'],
      ['P', 'd', 'answered'],
      ['annotation N', 'g', 'answered'],
      ['variable v', 'h', 'answered'],
      ['variable w', 'i{a="b"}', 'answered'],
      ['variable x', '', 'answered'],
    ]);
    expect(only!.notPromql).toEqual({ loki: 2, tempo: 1 });
    expect(only!.unread).toEqual(['panel Gone: the file does not have its library panel']);
  });

  it('whose variables choose labels and metrics is judged by their current values', async () => {
    const path = await file('chosen.json', {
      panels: [panel([{ expr: 'sum by ($by) (${metric}_total{job="[[job]]", domain=~"$domain"})' }])],
      templating: {
        list: [
          { name: 'by', type: 'custom', query: 'pod,job', current: { value: 'pod' } },
          { name: 'metric', type: 'textbox', query: 'x' },
        ],
      },
    });
    const { files } = await checked(path, '--policy', AGGREGATE);
    expect(files[0]!.questions[0]).toMatchObject({
      outcome: 'refused',
      works: 'sum(x_total{job="[[job]]",domain=~".*"})',
    });
  });

  it.each<[string, unknown, RegExp]>([
    ['no.json', '{"a": ', /no\.json: /],
    ['none.json', { title: 'x' }, /neither a Grafana dashboard nor a rule file/],
    ['rules.yaml', 'groups:\n  - name: [', /rules\.yaml: line \d/],
    [
      'deep.json',
      { panels: [Array.from({ length: 20 }).reduce((inner) => ({ panels: [inner] }), {})] },
      /nested more than/,
    ],
    ['long.json', { panels: [panel(Array.from({ length: 10_001 }, () => ({ expr: 'x' })))] }, /may have 10000 queries/],
  ])('%s is a mistake', async (name, content, message) => {
    const { code, err } = await run(await file(name, content));
    expect([code, err]).toEqual([1, expect.stringMatching(message)]);
  });

  it('options are checked', async () => {
    expect((await run('none.yaml')).err).toMatch(/none\.yaml: ENOENT/);
    expect((await run(FILES[0]!, '--hub', 'http://127.0.0.1:1')).err).toMatch(/127\.0\.0\.1:1/);
    expect((await run(FILES[0]!, '--approx', '7')).err).toMatch(/relative error/);
    expect((await run(FILES[0]!, '--policy', AGGREGATE, '--hub', 'http://x')).err).toMatch(/exclude each other/);
    expect((await run(FILES[0]!, '--policy', 'package.json')).err).toMatch(/package\.json: /);
  });
});

describe('a rule file', () => {
  it('tells the line of each query, also in the form of the Prometheus operator', async () => {
    const path = await file(
      'spec.yaml',
      'kind: PrometheusRule\nspec:\n  groups:\n    - name: g\n      rules:\n        - record: r\n          expr: |\n            sum(\n' +
        '              x)\n        - alert: a\n          expr: up ==\n        - alert: b\n---\nkind: Other\n',
    );
    const { files } = await checked(path);
    expect(files[0]!.questions.map(({ place, line, outcome }) => [place, line, outcome])).toEqual([
      ['g / record r', 8, 'answered'],
      ['g / alert a', 11, 'invalid'],
    ]);
    expect(files[0]!.unread).toEqual(['g / alert b: it has no expr']);
  });
});

describe('variables', () => {
  const variables = new Map([
    ['one', { name: 'one', values: ['pod'], isMany: false }],
    ['many', { name: 'many', values: ['a', 'b'], isMany: true }],
  ]);
  it.each([
    ['rate(x[$__rate_interval])', 'rate(x[5m7s])'],
    ['x[$__range:$__interval] offset $one', 'x[5m7s:5m8s] offset 5m9s'],
    ['x{a="$one",b=~"${many:regex}"}', 'x{a="var0_one",b=~"var1_many"}'],
    ['sum by ($one, ${many:csv}) (x)', 'sum by (pod, a,b) (x)'],
    ['sum by ($unknown) (x)', 'sum by (job) (x)'],
    ['x / $__interval_ms * $__range_s', 'x / 60000 * 3600'],
    ['topk($k, x)', 'topk(1, x)'],
    ['x_$unknown', 'x_value'],
    ['x > $limit', 'x > 1'],
    ['{__name__=~"$many"}', '{__name__=~"(a|b)"}'],
    ['x{domain="$d",a="b"} or y{domain=~"$d"}', 'x{domain="eu",a="b"} or y{domain=~".*"}'],
    ['label_replace(x, "a", "$1", "b", "(.*)")', 'label_replace(x, "a", "var0_1", "b", "(.*)")'],
  ])('%s', (query, text) => {
    const made = substituteVariables(query, { variables, domainLabel: 'domain', domain: 'eu' });
    expect(made.text).toBe(text);
    if (/[[{]\w*\$|"\$1"/.test(query)) expect(made.restore(made.text)).toContain('$');
  });
});
