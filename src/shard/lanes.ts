/**
 * Whose question it is: of the domain's own people, of a hub and soon answered, or of a hub and long. A thread answers them in
 * turn, lane after lane, so that none of them waits for more than one of each other lane, however many there are.
 */
export type Lane = 'own' | 'light' | 'heavy';

/** Runs work one after the other. */
export interface Lanes {
  /** When `work` is begun hangs on its lane; in each, first come is first served. */
  run<T>(lane: Lane, work: () => Promise<T>): Promise<T>;
}

const ORDER: readonly Lane[] = ['own', 'light', 'heavy'];

export function lanes(): Lanes {
  const waiting: Readonly<Record<Lane, (() => Promise<void>)[]>> = { own: [], light: [], heavy: [] };
  /** The place in the order of whoever is next. */
  let turn = 0;
  let isBusy = false;

  function next(): void {
    for (let i = 0; i < ORDER.length; i++) {
      const work = waiting[ORDER[turn]!].shift();
      turn = (turn + 1) % ORDER.length;
      if (work === undefined) continue;
      // What has come in meanwhile is to be seen before somebody is chosen again.
      void work().then(() => setImmediate(next));
      return;
    }
    isBusy = false;
  }

  return {
    run(lane, work) {
      return new Promise((resolve, reject) => {
        waiting[lane].push(() => work().then(resolve, reject));
        if (isBusy) return;
        isBusy = true;
        next();
      });
    },
  };
}
