import { ComityError } from '../../../src/base/errors.ts';
import { newTraceparent } from '../../../src/base/traceparent.ts';
import type { Coverage } from '../../../src/coverage/coverage.ts';
import { askVerdicts } from '../../../src/hub/verdicts.ts';
import { runExemplars } from '../../../src/hub/lists/exemplars.ts';
import { runLabels } from '../../../src/hub/lists/labels.ts';
import { runMetadata } from '../../../src/hub/lists/metadata.ts';
import { runSeries } from '../../../src/hub/lists/series.ts';
import type { Domain, Federation } from '../../../src/hub/registry.ts';
import { instantGrid } from '../../../src/model/grid.ts';
import { distribute } from '../../../src/plan/distribute.ts';
import { NO_FEATURES } from '../../../src/promql/features.ts';
import { parseExpr } from '../../../src/promql/parse.ts';
import { selectorParams } from '../../../src/api/selectors.ts';
import { randomFrom } from '../../random.ts';
import type { Fault } from './fault.ts';
import { DOMAIN_LABEL, honestDomain, reached, START_MS } from './honest-domains.ts';
import { lyingTransport } from './lying-transport.ts';

/** A list of the hub: its values, and which domains are missing. */
interface Listed {
  readonly values: unknown;
  readonly missing: readonly string[];
}

type List = (federation: Federation, timeMs: number) => Promise<Listed>;

const listed = ({ values, coverage }: { readonly values: unknown; readonly coverage: Coverage }): Listed => ({
  values,
  missing: coverage.domains.flatMap(({ domain, status }) => (status === 'ok' ? [] : [domain])),
});

const caller = (timeMs: number) => ({
  deadlineMs: Date.now() + timeMs,
  signal: new AbortController().signal,
  trace: newTraceparent(),
  allowPartial: true,
});
const SELECTORS = selectorParams(['x_total', 'g']);
const PICKED = { selectors: SELECTORS, fromMs: START_MS, toMs: START_MS + 600_000, limit: 0 };

const LISTS: Readonly<Record<string, List>> = {
  'label names': async (federation, timeMs) =>
    listed(await runLabels({ name: '', ...PICKED, ...caller(timeMs) }, federation)),
  'label values': async (federation, timeMs) =>
    listed(await runLabels({ name: 'instance', ...PICKED, ...caller(timeMs) }, federation)),
  'domains as label values': async (federation, timeMs) =>
    listed(await runLabels({ name: DOMAIN_LABEL, ...PICKED, ...caller(timeMs) }, federation)),
  series: async (federation, timeMs) => listed(await runSeries({ ...PICKED, ...caller(timeMs) }, federation)),
  exemplars: async (federation, timeMs) => listed(await runExemplars({ ...PICKED, ...caller(timeMs) }, federation)),
  metadata: async (federation, timeMs) =>
    listed(
      await runMetadata({ metric: '', limit: undefined, limitPerMetric: undefined, ...caller(timeMs) }, federation),
    ),
  verdicts: async (federation, timeMs) => {
    const plan = distribute(parseExpr('sum(g) / count(x_total)'), instantGrid(START_MS), { domainLabel: DOMAIN_LABEL });
    const asking = { lookbackMs: 300_000, features: NO_FEATURES, coverage: [], ...caller(timeMs) };
    const all = await askVerdicts(plan, asking, federation);
    const said = all.flatMap(({ answer }) => (answer?.ok === true ? [answer.value.verdicts] : []));
    const missing = all.flatMap(({ domain, answer }) => (answer?.ok === true ? [] : [domain.config.name]));
    return { values: said, missing };
  },
};

export const LIST_NAMES = Object.keys(LISTS);

/** What the hub did wrong with a list of which one domain's part is at fault; undefined where it did well. */
export async function runList(name: string, fault: Fault, seed: number): Promise<string | undefined> {
  const random = randomFrom(seed);
  const domains = ['d1', 'd2', 'd3'].map((one, i) => honestDomain(one, random.fork(i)));
  const elsewhere = honestDomain('elsewhere', random.fork(9));
  const liar = random.pick(domains);
  const list = (registry: readonly Domain[]): Promise<Listed> =>
    LISTS[name]!({ registry, domainLabel: DOMAIN_LABEL }, fault.isSilent === true ? 150 : 20_000);
  try {
    const lying = lyingTransport(fault, liar, elsewhere, random);
    const without = await list(domains.filter((one) => one !== liar).map((one) => reached(one.name, one.transport)));
    const registry = domains.map((one) => reached(one.name, one === liar ? lying.transport : one.transport));
    lying.prime(registry[domains.indexOf(liar)]!);
    const got = await list(registry);
    if (!lying.hasLied()) return 'did not ask';
    if (!fault.isPlain && got.missing.length === 0) return undefined;
    const wanted = { values: without.values, missing: [...without.missing, liar.name] };
    return JSON.stringify(got) === JSON.stringify(wanted)
      ? undefined
      : `gives ${JSON.stringify(got)}, want ${JSON.stringify(wanted)}`;
  } catch (error) {
    return error instanceof ComityError && error.code !== 'internal' && !fault.isPlain ? undefined : String(error);
  } finally {
    for (const one of [...domains, elsewhere]) await one.close();
  }
}
