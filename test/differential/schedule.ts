import type { Random } from '../random.ts';

/** When a series has samples. */
export interface Schedule {
  /** Milliseconds, strictly ascending. */
  readonly times: Float64Array;
  /** The indices at which the sample is a staleness marker. */
  readonly stale: ReadonlySet<number>;
}

/** How a series lives: whole, born late, dying early, with one long hole, or coming and going. */
export type Life = 'steady' | 'starts-late' | 'ends-early' | 'gap' | 'flapping';

export interface ScheduleOptions {
  readonly startMs: number;
  readonly spanMs: number;
  readonly intervalMs: number;
  readonly life: Life;
  /** The largest deviation from the interval either way; 0 puts every sample on a multiple of it. */
  readonly jitterMs: number;
}

/** Scrape times with jitter, single missed scrapes and, at most ends of life, a staleness marker one interval later. */
export function schedule(options: ScheduleOptions, random: Random): Schedule {
  const { startMs, spanMs, intervalMs, jitterMs } = options;
  const scrapes = Math.floor(spanMs / intervalMs);
  const absent = holes(options.life, scrapes, random);
  const times: number[] = [];
  const stale = new Set<number>();
  const missProbability = jitterMs === 0 ? 0.005 : 0.03;
  for (let scrape = 0; scrape <= scrapes; scrape++) {
    const onGrid = startMs + scrape * intervalMs;
    const time = jitterMs === 0 ? onGrid : onGrid + random.int(-jitterMs, jitterMs);
    const hole = absent.find(({ from, to }) => scrape >= from && scrape < to);
    if (hole === undefined) {
      if (!random.chance(missProbability)) times.push(time);
    } else if (hole.from === scrape && hole.marked && times.length > 0) {
      stale.add(times.length);
      times.push(time);
    }
  }
  return { times: Float64Array.from(times), stale };
}

interface Hole {
  /** The first scrape that is missing; it is the marker's place when the hole is marked. */
  readonly from: number;
  /** The first scrape that is there again. */
  readonly to: number;
  readonly marked: boolean;
}

function holes(life: Life, scrapes: number, random: Random): readonly Hole[] {
  const place = (low: number, high: number): number => Math.floor(scrapes * random.float(low, high));
  const marked = (): boolean => random.chance(0.75);
  switch (life) {
    case 'steady':
      return [];
    case 'starts-late':
      return [{ from: 0, to: place(0.2, 0.7), marked: false }];
    case 'ends-early':
      return [{ from: place(0.3, 0.8), to: scrapes + 1, marked: marked() }];
    case 'gap': {
      const from = place(0.2, 0.6);
      return [{ from, to: from + place(0.1, 0.35), marked: marked() }];
    }
    case 'flapping': {
      const found: Hole[] = [];
      for (let from = random.int(3, 20); from < scrapes; from += random.int(8, 40)) {
        found.push({ from, to: from + random.int(1, 12), marked: marked() });
      }
      return found;
    }
  }
}
