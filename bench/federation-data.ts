import { dataset, type BenchSeries, type Dataset, type DatasetOptions } from './dataset.ts';
import { openSender } from './load.ts';
import { REMOTE_WRITE_HEADERS, REMOTE_WRITE_PATH, remoteWriteScrapes } from './remote-write-batches.ts';

/** A data set split over domains. Each service is in all of them: a pod with all its series is in one. */
export interface SplitDataset {
  /** Moves every series to its next scrape; the parts alone do not move. */
  scrape(): void;
  /** What each domain has, in the order of the names. */
  readonly parts: readonly Dataset[];
  /** Everything in one place, each series with the label `domain`. */
  readonly whole: Dataset;
}

/** The series of several data sets together; they scrape in step. */
export function splitDatasets(options: readonly DatasetOptions[], domains: readonly string[]): SplitDataset {
  const all = options.map(dataset);
  const placed = all.flatMap(({ series }) => series.map((one) => ({ one, domain: domainOf(one, domains.length) })));
  const still = (series: readonly BenchSeries[]): Dataset => ({ series, scrape: () => undefined });
  return {
    scrape() {
      for (const one of all) one.scrape();
    },
    parts: domains.map((_, i) => still(placed.filter(({ domain }) => domain === i).map(({ one }) => one))),
    whole: still(placed.map(({ one, domain }) => withDomain(one, domains[domain]!))),
  };
}

/** By pod, which the instance stands for. */
function domainOf({ labels }: BenchSeries, domains: number): number {
  const [, a, b, c] = /^10\.(\d+)\.(\d+)\.(\d+):/.exec(labels['instance']!)!.map(Number) as [
    number,
    number,
    number,
    number,
  ];
  return (a * 65_536 + b * 256 + c) % domains;
}

/** The same series, whose values go on as the other's do, with one label more. */
function withDomain(series: BenchSeries, domain: string): BenchSeries {
  return Object.create(series, { labels: { get: () => ({ ...series.labels, domain }) } }) as BenchSeries;
}

/** Remote-write receivers that take one part of a data set. */
export interface Receivers {
  readonly data: Dataset;
  /** Roots of their addresses. */
  readonly urls: readonly string[];
}

/** Sends the next scrapes of a data set to all. Answers how many samples the whole has. Throws at the first refusal. */
export async function deliverSplit(
  split: SplitDataset,
  receivers: readonly Receivers[],
  scrapes: number,
  progress: (line: string) => void,
): Promise<number> {
  const ways = receivers.map(({ data, urls }) => ({
    scrapes: remoteWriteScrapes(data, scrapes),
    isWhole: data === split.whole,
    senders: urls.map((url) => openSender(url + REMOTE_WRITE_PATH, REMOTE_WRITE_HEADERS)),
  }));
  let samples = 0;
  try {
    for (let scrape = 1; scrape <= scrapes; scrape++) {
      split.scrape();
      for (const way of ways) {
        const { value } = way.scrapes.next();
        if (value === undefined) throw new Error('a part of the data set ended before the others');
        if (way.isWhole) samples += value.samples;
        for (const sender of way.senders) await sender.send(value.bodies);
      }
      if (scrape % Math.ceil(scrapes / 10) === 0) progress(`  sent ${scrape} of ${scrapes} scrapes`);
    }
    return samples;
  } finally {
    await Promise.all(ways.flatMap(({ senders }) => senders.map((sender) => sender.close())));
  }
}
