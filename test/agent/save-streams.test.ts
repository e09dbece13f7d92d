import { expect, test } from 'vitest';
import { streamSaver } from '../../src/agent/save-streams.ts';
import { trackStreams } from '../../src/coverage/streams.ts';

test('a database that cannot be written fails nothing, and nothing is lost by it', () => {
  const streams = trackStreams([], 0, { limit: 10, keepMs: 1_000 });
  const failures: unknown[] = [];
  const written: string[][] = [];
  let tries = 0;
  let isBusy = true;
  const saver = streamSaver(
    streams,
    {
      save(changed) {
        tries++;
        if (isBusy) throw new Error('SQLITE_BUSY');
        written.push(Array.from(changed, ({ instance }) => instance));
      },
    },
    () => 0,
    (error) => failures.push(error),
  );
  streams.seen('metrics', [{ job: 'j', instance: 'a', earliestMs: 0, latestMs: 0 }], 0);
  saver.saveNew();
  streams.seen('metrics', [{ job: 'j', instance: 'b', earliestMs: 0, latestMs: 0 }], 0);
  // A try waits for the lock, so a new stream makes none while the last one failed.
  saver.saveNew();
  expect([tries, failures.length]).toEqual([1, 1]);
  saver.save();
  expect([tries, failures.length]).toEqual([2, 2]);
  isBusy = false;
  saver.save();
  expect(written).toEqual([['a', 'b']]);
  streams.seen('metrics', [{ job: 'j', instance: 'c', earliestMs: 0, latestMs: 0 }], 0);
  saver.saveNew();
  expect(written).toEqual([['a', 'b'], ['c']]);
});
