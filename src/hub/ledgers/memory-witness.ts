import type { Fork, SignedRoot, TrustedKey, WitnessDb, WitnessedLog } from '../witness-db.ts';

/** What a witness remembers that has no file: it is gone with the process. */
export function memoryWitnessDb(): WitnessDb {
  const latest = new Map<string, SignedRoot>();
  const forks = new Map<string, Fork>();
  const trusted = new Map<string, TrustedKey>();
  const placeOf = (domain: string, url: string): string => JSON.stringify([domain, url]);
  const log = (vkey: string): WitnessedLog => ({ vkey, latest: latest.get(vkey), fork: forks.get(vkey) });
  return {
    log,
    logs() {
      const keys = [...latest.keys(), ...forks.keys(), ...[...trusted.values()].map(({ vkey }) => vkey)];
      return [...new Set(keys)].sort().map(log);
    },
    advance(vkey, fromSize, to) {
      if ((latest.get(vkey)?.size ?? 0) !== fromSize) return false;
      latest.set(vkey, to);
      return true;
    },
    addFork(vkey, fork) {
      if (!forks.has(vkey)) forks.set(vkey, fork);
    },
    forget(vkey) {
      const places = [...trusted].flatMap(([place, key]) => (key.vkey === vkey ? [place] : []));
      for (const place of places) trusted.delete(place);
      return [latest.delete(vkey), forks.delete(vkey), places.length > 0].includes(true);
    },
    trustedKey: (domain, url) => trusted.get(placeOf(domain, url))?.vkey,
    trustedKeys: () => [...trusted.values()],
    trust(key) {
      const place = placeOf(key.domain, key.url);
      if (!trusted.has(place)) trusted.set(place, key);
    },
    close: () => undefined,
  };
}
