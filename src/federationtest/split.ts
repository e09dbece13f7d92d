import { seriesHandle, handleLabels, type Batch, type SeriesHandle } from '../model/batch.ts';
import { labelNames, labelsKey, withDomainLabel } from '../model/labels.ts';
import type { Database } from '../promqltest/database.ts';
import { splitBatch } from '../shard/append-split.ts';
import { printLabels } from '../promqltest/labels-notation.ts';
import type { Draw } from './draw.ts';
import { domainName, type Federation } from './federation.ts';

/** A federation and a database that holds what all of its domains hold. */
export interface SplitData {
  readonly federation: Federation;
  readonly union: Database;
  /** The domain of each series, for people: a line for each, as far as anyone would read. */
  listing(): readonly string[];
  /** Names of the labels that series have, the domain label included, in order. */
  labelNames(): readonly string[];
  hasHistograms(): boolean;
  /** Gives each series its domain and its domain label, and stores it there and in the union. */
  append(batch: Batch): Promise<void>;
  clear(): Promise<void>;
}

const LISTED_MAX = 60;

/** `what`: what the domains of series hang on beside their labels, such as the script. */
export function splitData(federation: Federation, union: Database, draw: Draw, what: string): SplitData {
  const { domains, domainLabel } = federation;
  /** By the labels that a script gives a series. */
  const homes = new Map<string, number>();
  const names = new Set<string>([domainLabel]);
  const lines: string[] = [];
  let clears = 0;
  let hasHistograms = false;

  function homeOf({ labels }: SeriesHandle): number {
    const key = labelsKey(labels);
    let home = homes.get(key);
    if (home === undefined) {
      home = draw.index(domains.length, 'home', what, clears, key);
      homes.set(key, home);
      const labelled = withDomainLabel(labels, domainLabel, domainName(home));
      for (const name of labelNames(labelled)) names.add(name);
      if (lines.length < LISTED_MAX) lines.push(printLabels(labelled));
    }
    return home;
  }

  return {
    federation,
    union,
    listing: () => (homes.size > lines.length ? [...lines, `… (${homes.size} series)`] : [...lines]),
    labelNames: () => [...names].sort(),
    hasHistograms: () => hasHistograms,
    async append(batch) {
      hasHistograms ||= batch.histograms !== undefined;
      for (const { shard: domain, batch: part } of splitBatch(batch, { count: domains.length, shardOf: homeOf })) {
        await federation.append(domain, labelled(part, domainLabel, domains[domain]!));
        // A handle notes where the store that got it has put its series, so each store gets handles of its own.
        await union.append(labelled(part, domainLabel, domains[domain]!));
      }
    },
    async clear() {
      clears++;
      hasHistograms = false;
      homes.clear();
      lines.length = 0;
      names.clear();
      names.add(domainLabel);
      await Promise.all([federation.clear(), union.clear()]);
    },
  };
}

function labelled(batch: Batch, domainLabel: string, domain: string): Batch {
  const series = batch.series.map((handle) =>
    seriesHandle(withDomainLabel(handleLabels(handle) ?? [], domainLabel, domain)),
  );
  return { ...batch, series };
}
