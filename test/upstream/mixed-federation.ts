import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startAgent, type Agent } from '../../src/agent/agent.ts';
import { startSourceAgent, type SourceAgent } from '../../src/agent/source-agent.ts';
import { startHub } from '../../src/hub/hub.ts';
import { labelsOf, withLabel } from '../../src/model/labels.ts';
import { setStaleAt, type SeriesColumns } from '../../src/model/series.ts';
import type { PromqlFeatures } from '../../src/promql/features.ts';
import type { SourceConfig } from '../../src/upstream/upstream.ts';
import type { Victoria } from './victoria.ts';

/** A domain by where its samples are: a store of its own, or a server. */
export interface MixedDomain {
  readonly name: string;
  readonly source?: SourceConfig;
}

/** Agents with stores and agents with servers behind one hub, over HTTP on the loopback interface. */
export interface MixedFederation {
  /** Root of the hub's HTTP API, without a slash at the end. */
  readonly url: string;
  readonly stores: ReadonlyMap<string, Agent>;
  readonly sources: ReadonlyMap<string, SourceAgent>;
  close(): Promise<void>;
}

export async function startMixedFederation(options: {
  readonly domains: readonly MixedDomain[];
  policy(domain: string): string;
  readonly features?: PromqlFeatures;
}): Promise<MixedFederation> {
  const dir = await mkdtemp(join(tmpdir(), 'comity-mixed-'));
  const stores = new Map<string, Agent>();
  const sources = new Map<string, SourceAgent>();
  const stops: (() => Promise<void>)[] = [() => rm(dir, { recursive: true, force: true })];
  const close = async (): Promise<void> => {
    for (const stop of stops.splice(0).reverse()) await stop();
  };
  try {
    const links = [];
    for (const { name, source } of options.domains) {
      const policy = join(dir, `${name}.policy.yaml`);
      await writeFile(policy, options.policy(name));
      const token = randomBytes(32).toString('hex');
      const common = { domain: name, jurisdiction: 'TEST', policy, token };
      let url: string;
      if (source === undefined) {
        const listen = { otlp: '127.0.0.1:0', federation: '127.0.0.1:0' };
        const agent = await startAgent({ ...common, listen, store: join(dir, name), shards: 0 });
        stops.push(() => agent.close());
        stores.set(name, agent);
        url = agent.federationUrl;
      } else {
        const listen = { federation: '127.0.0.1:0', metrics: '127.0.0.1:0' };
        const agent = await startSourceAgent({
          ...common,
          listen,
          ledger: ':memory:',
          domainLabel: 'domain',
          source,
          pollMs: 200,
        });
        stops.push(() => agent.close());
        sources.set(name, agent);
        url = agent.federationUrl;
      }
      links.push({ name, jurisdiction: 'TEST', url, token });
    }
    const features = options.features === undefined ? {} : { features: options.features };
    const hub = await startHub({ listen: '127.0.0.1:0', domains: links, ...features });
    stops.push(() => hub.close());
    return { url: hub.url, stores, sources, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The series as a server of their domain has them. */
export function withoutDomainLabel(series: readonly SeriesColumns[]): readonly SeriesColumns[] {
  return series.map((one) => ({ ...one, labels: withLabel(one.labels, 'domain', '') }));
}

/** All that a VictoriaMetrics holds, which need not be what was written: it keeps no NaN, and no more than 18 digits. */
export async function heldBy(victoria: Victoria, domain: string): Promise<readonly SeriesColumns[]> {
  const selector = encodeURIComponent('{__name__!=""}');
  const response = await fetch(`${victoria.url}/api/v1/export?match[]=${selector}&start=1`);
  const lines = (await response.text()).split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const { metric, values, timestamps } = JSON.parse(
      line.replaceAll(/([[,])([+-])Inf(?=[,\]])/g, '$1"$2Infinity"').replace('"values":[NaN', '"values":[null'),
    ) as ExportLine;
    const column = new Float64Array(values.length);
    for (const [i, value] of values.entries()) {
      if (value === null) setStaleAt(column, i);
      else column[i] = Number(value);
    }
    return { labels: labelsOf({ ...metric, domain }), times: Float64Array.from(timestamps), values: column };
  });
}

interface ExportLine {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (number | string | null)[];
  readonly timestamps: readonly number[];
}
