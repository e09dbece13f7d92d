import { describe, expect, it, vi } from 'vitest';
import { readRetryAfter } from '../../src/hub/transport.ts';

describe('Retry-After', () => {
  it.each<[header: string | string[] | undefined, ms: number | undefined]>([
    ['0', 0],
    ['30', 30_000],
    ['Thu, 01 Jan 2026 00:00:07 GMT', 7_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    [undefined, undefined],
    [['1', '2'], undefined],
    ['', undefined],
    ['soon', undefined],
    ['-1', undefined],
    ['1.5', undefined],
    ['9'.repeat(30), undefined],
    ['2026-01-01', undefined],
    ['Jan 1', undefined],
  ])('%s', (header, ms) => {
    vi.useFakeTimers({ now: Date.UTC(2026, 0, 1) });
    expect(readRetryAfter(header)).toBe(ms);
    vi.useRealTimers();
  });
});
