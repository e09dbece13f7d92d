import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LIMITS } from '../../src/base/limits.ts';
import { openAgentGaps, type AgentGaps } from '../../src/coverage/agent-gaps.ts';
import { openCoverageDb, type CoverageDb } from '../../src/coverage/coverage-db.ts';
import { trackStreams, type StreamTracker } from '../../src/coverage/streams.ts';
import { randomFrom } from '../random.ts';

const KEEP_MS = 1e9;
const A = { job: 'j', instance: 'a' };
const B = { job: 'j', instance: 'b' };

let dir: string;
let db: CoverageDb;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'comity-gaps-'));
  db = openCoverageDb(join(dir, 'coverage.sqlite'), 'process');
});

afterEach(() => {
  db.close();
  rmSync(dir, { recursive: true });
});

interface Life {
  readonly streams: StreamTracker;
  readonly gaps: AgentGaps;
}

/** A process on what the last one wrote down. */
function begin(nowMs: number): Life {
  const streams = trackStreams(db.streams.load(), nowMs, { limit: 10, keepMs: KEEP_MS });
  return { streams, gaps: openAgentGaps(db.life, streams, nowMs, KEEP_MS) };
}

function end({ streams, gaps }: Life, nowMs: number, isClosed = true): void {
  streams.flush(nowMs, db.streams.save);
  gaps.alive(nowMs, isClosed);
}

function deliver({ streams }: Life, fromMs: number, toMs: number, nowMs = toMs, heard = [A, B]): void {
  streams.seen(
    'metrics',
    heard.map((stream) => ({ ...stream, earliestMs: fromMs, latestMs: toMs })),
    nowMs,
  );
}

/** A life in which both streams deliver every ten seconds. */
function liveUntil(life: Life, fromMs: number, toMs: number): void {
  for (let time = fromMs; time <= toMs; time += 10_000) deliver(life, time, time);
}

describe('the times that an agent missed', () => {
  it('are none at first, and none after a restart that nobody noticed', () => {
    const first = begin(0);
    expect(first.gaps.told(0)).toEqual([]);
    liveUntil(first, 10_000, 100_000);
    end(first, 101_000);
    const second = begin(105_000);
    deliver(second, 110_000, 110_000);
    expect(second.gaps.told(110_000)).toEqual([]);
  });

  it('are from when it was last known to run until it ran again, where its streams have a gap', () => {
    const first = begin(0);
    liveUntil(first, 10_000, 100_000);
    end(first, 101_000);
    const second = begin(301_000);
    expect(second.gaps.told(301_000)).toEqual([{ fromMs: 101_001, toMs: 300_999 }]);
    deliver(second, 310_000, 310_000);
    expect(second.gaps.told(310_000)).toEqual([{ fromMs: 101_001, toMs: 300_999 }]);
    // And so they stay, over restarts.
    end(second, 311_000);
    expect(begin(312_000).gaps.told(312_000)).toEqual([{ fromMs: 101_001, toMs: 300_999 }]);
  });

  it('are filled by what senders deliver afterwards, in part or whole', () => {
    const first = begin(0);
    liveUntil(first, 10_000, 100_000);
    end(first, 101_000);
    const second = begin(301_000);
    deliver(second, 110_000, 200_000, 302_000, [A]);
    deliver(second, 110_000, 220_000, 302_000, [B]);
    deliver(second, 310_000, 310_000);
    expect(second.gaps.told(310_000)).toEqual([{ fromMs: 200_001, toMs: 300_999 }]);
    deliver(second, 210_000, 300_000, 320_000);
    expect(second.gaps.told(320_000)).toEqual([]);
  });

  it('are not those of a stream that was gone before', () => {
    const first = begin(0);
    liveUntil(first, 10_000, 100_000);
    for (let time = 110_000; time <= 200_000; time += 10_000) deliver(first, time, time, time, [A]);
    end(first, 201_000);
    const second = begin(261_000);
    deliver(second, 210_000, 260_000, 262_000, [A]);
    deliver(second, 270_000, 270_000, 270_000);
    expect(second.gaps.told(270_000)).toEqual([]);
  });

  it('are also those in which the process was stopped', () => {
    const life = begin(0);
    liveUntil(life, 10_000, 100_000);
    life.gaps.slept({ fromMs: 100_001, toMs: 399_999 });
    life.streams.listen(400_000);
    deliver(life, 400_000, 400_000);
    expect(life.gaps.told(400_000)).toEqual([{ fromMs: 100_001, toMs: 399_999 }]);
  });

  it('tell whether the last process was killed', () => {
    expect(begin(0).gaps.killedMs).toBeUndefined();
    const killed = begin(10_000);
    expect(killed.gaps.killedMs).toBe(0);
    end(killed, 20_000, false);
    const again = begin(30_000);
    expect(again.gaps.killedMs).toBe(20_000);
    end(again, 40_000, true);
    expect(begin(50_000).gaps.killedMs).toBeUndefined();
  });

  it('are bounded, ascending and apart, whatever the clock does', () => {
    const seed = Date.now() % 100_000;
    const random = randomFrom(seed);
    let time = 1_000_000;
    for (let restart = 0; restart < 3 * LIMITS.agentGaps; restart++) {
      const life = begin(time);
      for (let i = 0; i < 4; i++) deliver(life, (time += 10_000), time);
      const told = life.gaps.told(time);
      expect(told.length, `seed ${seed}`).toBeLessThanOrEqual(LIMITS.agentGaps);
      for (const [i, gap] of told.entries()) {
        expect(gap.fromMs, `seed ${seed}`).toBeGreaterThan(told[i - 1]?.toMs ?? -Infinity);
        expect(gap.toMs, `seed ${seed}`).toBeGreaterThanOrEqual(gap.fromMs);
      }
      end(life, time);
      time += random.chance(0.1) ? -random.int(0, 500_000) : random.int(0, 500_000);
    }
  });
});
