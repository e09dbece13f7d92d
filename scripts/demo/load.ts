import { setTimeout as sleep } from 'node:timers/promises';
import { SHOPPING, locate } from './topology.ts';
import type { Call, Directory, DomainSpec } from './topology.ts';

/** Requests of one domain's shoppers under way at a time; beyond it they stay away, as real ones would. */
const UNDER_WAY_MAX = 64;

/** A shopper waits this long. */
const PATIENCE_MS = 10_000;

/**
 * Sends each of the domains its shoppers, who arrive by chance (a Poisson process) at the domain's rate, until `signal` is
 * aborted. Failed requests are the services' own business: they count them.
 */
export async function runLoad(
  directory: Directory,
  domains: readonly DomainSpec[],
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(domains.map((domain) => shop(directory, domain.name, domain.requestsPerSecond, signal)));
}

async function shop(directory: Directory, domain: string, perSecond: number, signal: AbortSignal): Promise<void> {
  let underWay = 0;
  while (!signal.aborted) {
    const pauseMs = (-Math.log(1 - Math.random()) * 1_000) / perSecond;
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted || underWay >= UNDER_WAY_MAX) continue;
    const { service, method, path } = drawCall();
    underWay++;
    void fetch(new URL(path, locate(directory, domain, service)), { method, signal: AbortSignal.timeout(PATIENCE_MS) })
      .then((response) => response.arrayBuffer())
      .catch(() => undefined)
      .finally(() => underWay--);
  }
}

function drawCall(): Call {
  let left = Math.random() * SHOPPING.reduce((sum, one) => sum + one.weight, 0);
  for (const { weight, call } of SHOPPING) {
    left -= weight;
    if (left < 0) return call;
  }
  throw new Error('the shoppers want nothing');
}
