import { writeFileSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { zstdDecompressSync } from 'node:zlib';
import { newTraceparent } from '../src/base/traceparent.ts';
import { runQuery } from '../src/hub/query.ts';
import { openDomain, type Registry } from '../src/hub/registry.ts';
import type { Transport } from '../src/hub/transport.ts';
import { rangeGrid } from '../src/model/grid.ts';
import { NO_FEATURES } from '../src/promql/features.ts';
import { parseExpr } from '../src/promql/parse.ts';
import { curvesSvg, slopeOf, type Curve, type Panel } from './curves.ts';
import { judge, type Figures, type Measured, type Row } from './row.ts';
import {
  SIMULATED_INTERVAL_MS,
  SIMULATED_METRIC,
  type DomainsToOpen,
  type FromDomains,
  type ToDomains,
} from './simulated-worker.ts';
import { median } from './statistics.ts';
import type { Settings } from './workload.ts';

/** One federation, and one query over it. */
interface Size {
  readonly domains: number;
  readonly groups: number;
  readonly steps: number;
  /** Raw series of each domain. */
  readonly series: number;
}

/** Sizes of which only one number differs. */
interface Sweep {
  readonly over: keyof Size;
  readonly sizes: readonly Size[];
  /** The slope, in a picture with two logarithmic axes, that hub CPU and bytes may have at most. */
  readonly slopeMax: number;
}

/** A little above 1, for the noise; what a query costs by itself only makes it less. */
const LINEAR = 1.1;
const FLAT = 0.1;

const SWEEPS: readonly Sweep[] = [
  sweep('domains', [10, 30, 100, 300, 1_000], { groups: 20, steps: 61, series: 40 }, LINEAR),
  sweep('groups', [10, 40, 160, 640, 2_560], { domains: 10, steps: 61 }, LINEAR),
  sweep('steps', [15, 60, 240, 960, 3_840], { domains: 10, groups: 20, series: 40 }, LINEAR),
  sweep('series', [60, 200, 600, 2_000, 6_000], { domains: 10, groups: 20, steps: 61 }, FLAT),
];

/** What is not said is as many series as groups. */
function sweep(over: keyof Size, values: readonly number[], others: Partial<Size>, slopeMax: number): Sweep {
  const sizes = values.map((value): Size => {
    const size = { domains: 10, groups: 20, steps: 61, ...others, [over]: value };
    return { series: size.groups, ...size };
  });
  return { over, sizes, slopeMax };
}

const WARM: Size = { domains: 30, groups: 50, steps: 241, series: 50 };

/** Queries before those that count, and those. */
const WARM_UP = 3;
const COUNTED = 7;

const WINDOW_MS = 5 * 60_000;
const QUERY_MS = 120_000;

/**
 * W7: what a query costs the hub, and how many bytes leave the domains, by how large the federation is. Draws the curves into a
 * file.
 */
export async function simulated(settings: Settings, picture: string): Promise<Row[]> {
  const { scale, progress } = settings;
  // Compiles what is hot; without it the first sizes would pay for that.
  await costOf(WARM, settings);
  const rows: Row[] = [];
  const costs: { readonly sweep: Sweep; readonly costs: readonly Cost[] }[] = [];
  for (const one of SWEEPS) {
    // The largest take most of the time.
    const sizes = one.sizes.filter((_, i) => i < 2 || i < one.sizes.length * scale);
    const found: Cost[] = [];
    for (const size of sizes) {
      const cost = await costOf(size, settings);
      found.push(cost);
      progress(`W7: ${sizeText(size)}: hub ${cost.hubCpuMs.toFixed(2)} ms CPU, ${cost.bytes} bytes`);
    }
    costs.push({ sweep: one, costs: found });
    rows.push(...rowsOf(one, found));
  }
  writeFileSync(picture, curvesSvg(costs.map(panelOf), 2));
  return rows;
}

/** Of one query. */
interface Cost {
  readonly size: Size;
  readonly hubCpuMs: number;
  readonly wallMs: number;
  readonly bytes: number;
}

async function costOf(size: Size, { seed }: Settings): Promise<Cost> {
  const { domains, groups, series, steps } = size;
  const endMs = Math.floor(Date.now() / SIMULATED_INTERVAL_MS) * SIMULATED_INTERVAL_MS;
  const rangeMs = (steps - 1) * SIMULATED_INTERVAL_MS;
  const samples = Math.ceil((rangeMs + WINDOW_MS) / SIMULATED_INTERVAL_MS) + 1;
  const others = await openSimulated({ domains, groups, series, samples, endMs, seed });
  try {
    const text = `sum by (service) (rate(${SIMULATED_METRIC}[5m]))`;
    const costs: Omit<Cost, 'size'>[] = [];
    for (let round = 0; round < WARM_UP + COUNTED; round++) {
      const before = { bytes: others.bytes(), cpu: process.threadCpuUsage(), ms: performance.now() };
      const { value, warnings } = await runQuery(
        {
          text,
          expr: parseExpr(text),
          grid: rangeGrid(endMs - rangeMs, endMs, SIMULATED_INTERVAL_MS),
          lookbackMs: WINDOW_MS,
          features: NO_FEATURES,
          deadlineMs: Date.now() + QUERY_MS,
          allowPartial: false,
          signal: NEVER,
          trace: newTraceparent(),
        },
        { registry: others.registry, domainLabel: 'domain' },
      );
      const { user, system } = process.threadCpuUsage(before.cpu);
      const wallMs = performance.now() - before.ms;
      const rows = value.kind === 'vector' ? value.rows.length : 0;
      if (rows !== groups || warnings.length > 0)
        throw new Error(`${rows} of ${groups} groups came; ${warnings.join()}`);
      const bytes = others.bytes() - before.bytes;
      if (round >= WARM_UP) costs.push({ hubCpuMs: (user + system) / 1_000, wallMs, bytes });
    }
    return {
      size,
      hubCpuMs: median(costs.map(({ hubCpuMs }) => hubCpuMs))!,
      wallMs: median(costs.map(({ wallMs }) => wallMs))!,
      bytes: median(costs.map(({ bytes }) => bytes))!,
    };
  } finally {
    await others.close();
  }
}

const NEVER = new AbortController().signal;

interface Simulated {
  readonly registry: Registry;
  /** That passed borders so far, both ways. */
  bytes(): number;
  close(): Promise<void>;
}

/** Domains in a thread of their own, as the hub sees them: all is as over HTTP but the sockets. */
async function openSimulated(what: DomainsToOpen): Promise<Simulated> {
  const worker = new Worker(new URL('simulated-worker.ts', import.meta.url));
  type Answer = Extract<FromDomains, { kind: 'answer' }>;
  const waiting = new Map<number, (answer: Answer) => void>();
  const tell = (message: ToDomains): void => worker.postMessage(message);
  let failed: (error: Error) => void = () => undefined;
  let told: (kind: 'open' | 'closed') => void = () => undefined;
  worker.on('message', (message: FromDomains) => {
    if (message.kind === 'fault') failed(new Error(message.message));
    else if (message.kind === 'answer') {
      waiting.get(message.id)!(message);
      waiting.delete(message.id);
    } else told(message.kind);
  });
  const until = (message: ToDomains): Promise<unknown> =>
    new Promise((resolve, reject) => {
      told = resolve;
      failed = reject;
      worker.once('error', reject);
      tell(message);
    });
  await until({ kind: 'open', what });
  failed = (error) => {
    throw error;
  };

  let bytes = 0;
  let asked = 0;
  const transportTo = (domain: number): Transport => ({
    async send(endpoint, body, { trace }) {
      const answer = await new Promise<Answer>((resolve) => {
        const id = ++asked;
        waiting.set(id, resolve);
        tell({ kind: 'ask', id, domain, endpoint, body, trace });
      });
      const wireBytes = answer.bytes.length;
      bytes += body.length + wireBytes;
      // At once, so that the time counts as the hub's.
      return {
        statusCode: answer.statusCode,
        bytes: answer.isCompressed ? zstdDecompressSync(answer.bytes) : answer.bytes,
        wireBytes,
      };
    },
    close: async () => undefined,
  });
  const registry = Array.from({ length: what.domains }, (_, i) => {
    const transport = transportTo(i);
    return openDomain({ name: `d${i + 1}`, jurisdiction: 'test' }, [
      { url: `thread:${i}`, transport, heartbeat: transport },
    ]);
  });
  return {
    registry,
    bytes: () => bytes,
    async close() {
      await until({ kind: 'close' });
      await worker.terminate();
    },
  };
}

/** Sizes that a slope is taken of that shall be linear: in smaller ones, what a query costs by itself hides what each adds. */
const LARGEST = 3;

const UNITS: Readonly<Record<keyof Size, string>> = {
  domains: 'domains',
  groups: 'groups',
  steps: 'steps',
  series: 'raw series a domain',
};

function sizeText(size: Size): string {
  return (Object.keys(UNITS) as (keyof Size)[])
    .map((name) => `${size[name].toLocaleString('en-US')} ${UNITS[name]}`)
    .join(', ');
}

function rowsOf({ over, slopeMax }: Sweep, costs: readonly Cost[]): Row[] {
  const lines = costs.map(({ size, hubCpuMs, wallMs, bytes }): Measured => {
    const figures: Figures = {
      hubCpuMs,
      domainCpuUs: (hubCpuMs * 1_000) / size.domains,
      wallMs,
      totalBytes: bytes,
      cells: size.domains * size.groups * size.steps,
    };
    return { peer: `${size[over].toLocaleString('en-US')} ${UNITS[over]}`, figures };
  });
  const fixed = sizeText(costs[0]!.size)
    .split(', ')
    .filter((part) => !part.endsWith(` ${UNITS[over]}`))
    .join(', ');
  const slope = (name: string, figure: 'hubCpuMs' | 'bytes'): Row => {
    const found = slopeOf(
      (slopeMax === FLAT ? costs : costs.slice(-LARGEST)).map((cost) => [cost.size[over], cost[figure]]),
    );
    const figures = found === undefined ? {} : { slope: found };
    const target = { kind: 'bound', figure: 'slope', better: 'less', atMost: slopeMax } as const;
    return judge('W7', `${name} by ${UNITS[over]}: 1 is linear, 0 flat`, target, [{ peer: 'comity', figures }]);
  };
  const fixedText =
    over === 'groups' ? fixed.replace(/, [^,]*raw series a domain$/, ', a series for each group') : fixed;
  return [
    { workload: 'W7', what: `sum by (service) (rate(x[5m])) by ${UNITS[over]}: ${fixedText}`, measured: lines },
    slope('hub CPU', 'hubCpuMs'),
    slope('bytes', 'bytes'),
  ];
}

function panelOf({ sweep: { over }, costs }: { readonly sweep: Sweep; readonly costs: readonly Cost[] }): Panel {
  const curve = (name: string, of: (cost: Cost) => number): Curve => ({
    name,
    points: costs.map((cost) => [cost.size[over], of(cost)]),
  });
  return {
    title: `One query, by ${UNITS[over]}`,
    xLabel: UNITS[over],
    yLabel: 'ms and KB',
    curves: [
      curve('hub CPU, ms', ({ hubCpuMs }) => hubCpuMs),
      curve('over the borders, KB', ({ bytes }) => bytes / 1_000),
      curve('until answered, ms', ({ wallMs }) => wallMs),
    ],
  };
}
