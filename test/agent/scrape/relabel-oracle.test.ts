import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { makeTarget } from '../../../src/agent/scrape/target.ts';
import { labelsRecord } from '../../../src/model/labels.ts';
import { randomFrom } from '../../random.ts';
import { findOracle } from '../../oracle/oracle.ts';
import { jobsOf } from './harness.ts';
import { sorted, startScrapingOracle } from './prometheus.ts';

const program = await findOracle();
if (program === undefined) console.warn('skipped: relabelling beside Prometheus (no Prometheus 3.15 here)');

const SEED = Number(process.env['COMITY_SEED'] ?? Date.now() % 1_000_000);

interface ApiTarget {
  readonly labels: Record<string, string>;
  readonly discoveredLabels: Record<string, string>;
  readonly scrapeUrl: string;
  readonly scrapeInterval: string;
}

describe.skipIf(program === undefined)(`relabelling of targets, seed ${SEED}`, () => {
  const { next, pick, chance } = randomFrom(SEED);

  const NAMES = [
    'zone',
    'env',
    'shard',
    'Ünï.x',
    '__meta_a',
    '__meta_b',
    '__address__',
    'job',
    'instance',
    '__param_q',
  ];
  const VALUES = ['prod', 'Dev-1', 'a;b', 'eu_west', '', 'x\ny', 'ÀΣß', '9100'];
  const REGEXES = ['(.*)', '(.+)', '(.*)-(.*)', '(?P<first>[a-z]+)(.*)', 'prod|eu.*', '', '[^;]*;?(.*)', '.*?(\\d+).*'];
  const TEMPLATES = ['$1', '$2', '${1}x', '$1x', '${first}-$2', '$$', 'fixed', '', '$0', 'a${9}b', '${', '$01'];

  function rule(): Record<string, unknown> {
    const some = Array.from({ length: Math.floor(next() * 3) }, () => pick(NAMES));
    const sources = some.length === 0 ? {} : { source_labels: some };
    const separator = chance(0.2) ? { separator: pick(['', '-', '$1']) } : {};
    switch (pick(['replace', 'replace', 'replace', 'keep', 'drop', 'hash', 'map', 'drop1', 'keep1', 'case', 'equal'])) {
      case 'replace':
        return {
          ...sources,
          ...separator,
          ...(chance(0.7) ? { regex: pick(REGEXES) } : {}),
          ...(chance(0.7) ? { replacement: pick(TEMPLATES) } : {}),
          target_label: pick([...NAMES, 'new', '${1}_n', '__metrics_path__', '__tmp']),
          ...(chance(0.3) ? { action: pick(['replace', 'Replace', 'REPLACE']) } : {}),
        };
      case 'keep':
        return { ...sources, ...separator, action: 'keep', regex: pick(['(.*)', '.+', '(.*)', 'prod.*|.*;.*']) };
      case 'drop':
        return { ...sources, action: 'drop', regex: pick(['prod', '9\\d+', '(?i)DEV.*', 'zz']) };
      case 'hash':
        return { ...sources, action: 'hashmod', modulus: pick([1, 2, 7, 1000, 4_294_967_311]), target_label: 'shard' };
      case 'map':
        return { action: 'labelmap', regex: pick(['__meta_(.+)', '(z.*)', '__(meta_.*)']), replacement: 'm_${1}' };
      case 'drop1':
        return { action: 'labeldrop', regex: pick(['zone|env', 'Ü.*', 'job', '__meta_a']) };
      case 'keep1':
        return { action: 'labelkeep', regex: pick(['__.*|job|zone', '.*', '__.*|instance|Ü.*']) };
      case 'case':
        return { ...sources, action: pick(['lowercase', 'uppercase']), target_label: pick(['zone', 'env', 'new']) };
      default:
        return { source_labels: [pick(NAMES)], action: pick(['keepequal', 'dropequal']), target_label: pick(NAMES) };
    }
  }

  function group(): { targets: string[]; labels: Record<string, string> } {
    const labels: Record<string, string> = {};
    for (const name of NAMES) if (name !== '__address__' && chance(0.5)) labels[name] = pick(VALUES);
    return {
      targets: [pick(['a:1', 'b.example:9100', '[::1]:80', 'UPPER:2']), `h${Math.floor(next() * 1e6)}:1`],
      labels,
    };
  }

  test('gives the labels and URLs that Prometheus has', async () => {
    const jobs = Array.from({ length: 200 }, (_, index) => ({
      job_name: `job ${index}`,
      scrape_interval: pick(['1h', '1d', '90m']),
      ...(chance(0.3) ? { params: { q: ['one', 'two'], 'b c': ['ä&'] } } : {}),
      ...(chance(0.2) ? { metrics_path: pick(['/x y/%41', '/a\nb\\c/../(d)*!?é#', 'no-slash']) } : {}),
      static_configs: [group(), group()],
      relabel_configs: Array.from({ length: 1 + Math.floor(next() * 4) }, rule),
    }));
    const text = stringify({ scrape_configs: jobs });
    const oracle = await startScrapingOracle(text);
    try {
      interface Targets {
        readonly activeTargets: (ApiTarget & { readonly scrapePool: string })[];
        readonly droppedTargets: { readonly discoveredLabels: Record<string, string> }[];
      }
      let theirs: Targets = { activeTargets: [], droppedTargets: [] };
      // Targets come some seconds later, job by job.
      for (let tries = 0, before = -1; tries < 60; tries++) {
        await new Promise((resolve) => setTimeout(resolve, 500));
        theirs = await oracle.api<Targets>('targets');
        const count = theirs.activeTargets.length + theirs.droppedTargets.length;
        if (count > 0 && count === before) break;
        before = count;
      }
      const active: string[] = [];
      const dropped: string[] = [];
      for (const job of jobsOf(text)) {
        const found = new Map<string, string>();
        for (const { targets, labels } of job.groups) {
          for (const address of targets) {
            let made: ReturnType<typeof makeTarget>;
            try {
              made = makeTarget(job, address, labels);
            } catch {
              // Refused targets are in neither list.
              continue;
            }
            if ('dropped' in made) dropped.push(sorted(labelsRecord(made.dropped)));
            else if (made.labels.length === 0) dropped.push(sorted(labelsRecord(made.discovered)));
            else {
              const interval = `${made.intervalMs}`;
              found.set(
                made.key,
                `${job.name} ${decodeURI(made.url)} ${interval} ${sorted(labelsRecord(made.labels))}`,
              );
            }
          }
        }
        active.push(...found.values());
      }
      const MS: Record<string, number> = { '1h': 3_600_000, '1d': 86_400_000, '1h30m': 5_400_000 };
      expect(active.sort()).toEqual(
        theirs.activeTargets
          .map((one) => `${one.scrapePool} ${decodeURI(one.scrapeUrl)} ${MS[one.scrapeInterval]} ${sorted(one.labels)}`)
          .sort(),
      );
      expect(dropped.sort()).toEqual(theirs.droppedTargets.map((one) => sorted(one.discoveredLabels)).sort());
      // Neither list may be empty by mistake.
      expect(active.length).toBeGreaterThan(100);
      expect(dropped.length).toBeGreaterThan(20);
    } finally {
      await oracle.close();
    }
  });
});
