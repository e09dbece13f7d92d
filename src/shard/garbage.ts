import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { isMainThread } from 'node:worker_threads';

// Node only has a collection on demand behind a flag, which is one for all threads: it is set before there is another one,
// because no thread may read a flag while another writes it.
if (isMainThread) setFlagsFromString('--expose-gc');

/** A full collection in this thread, up to a tenth of a second. */
export function collectGarbage(): void {
  (runInNewContext('gc') as () => void)();
}
