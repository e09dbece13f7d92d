import type { StreamsDb } from '../coverage/coverage-db.ts';
import type { StreamTracker } from '../coverage/streams.ts';

/** Writes down what is known of the streams. Nothing in here throws: a failure is reported and tried again later. */
export interface StreamSaver {
  /** Writes what changed. */
  save(): void;
  /** Writes at once, for a stream that is new; while writing fails that is left to `save`, as each try may block. */
  saveNew(): void;
}

export function streamSaver(
  streams: StreamTracker,
  db: Pick<StreamsDb, 'save'>,
  now: () => number,
  onFailure: (error: unknown) => void,
): StreamSaver {
  let failing = false;

  function save(): void {
    try {
      streams.flush(now(), db.save);
      failing = false;
    } catch (error) {
      failing = true;
      onFailure(error);
    }
  }

  return {
    save,
    saveNew() {
      if (!failing) save();
    },
  };
}
