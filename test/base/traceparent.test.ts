import { describe, expect, it } from 'vitest';
import { childTraceparent, newTraceparent, readTraceparent, traceIdOf } from '../../src/base/traceparent.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const SPAN = 'b7ad6b7169203331';

describe('a traceparent', () => {
  it.each<[header: unknown, read: string | undefined]>([
    [`00-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-01`],
    [`00-${TRACE}-${SPAN}-00`, `00-${TRACE}-${SPAN}-00`],
    // A later version may say more, of which nothing is known.
    [`cc-${TRACE}-${SPAN}-01`, `00-${TRACE}-${SPAN}-01`],
    [`cc-${TRACE}-${SPAN}-01-what-the-future-brings`, `00-${TRACE}-${SPAN}-01`],
    [`00-${TRACE}-${SPAN}-01-more`, undefined],
    [`cc-${TRACE}-${SPAN}-01.more`, undefined],
    [`ff-${TRACE}-${SPAN}-01`, undefined],
    [`00-${'0'.repeat(32)}-${SPAN}-01`, undefined],
    [`00-${TRACE}-${'0'.repeat(16)}-01`, undefined],
    [`00-${TRACE.toUpperCase()}-${SPAN}-01`, undefined],
    [`00-${TRACE.slice(1)}-${SPAN}-01`, undefined],
    [`00-${TRACE}-${SPAN}`, undefined],
    [`00-${TRACE}-${SPAN}-0`, undefined],
    [` 00-${TRACE}-${SPAN}-01`, undefined],
    [`00-${TRACE}-${SPAN}-01\n`, undefined],
    [`cc-${TRACE}-${SPAN}-01-${'x'.repeat(1_000)}`, undefined],
    ['', undefined],
    [undefined, undefined],
    [[`00-${TRACE}-${SPAN}-01`], undefined],
  ])('%s', (header, read) => {
    expect(readTraceparent(header)).toBe(read);
  });

  it('of a new trace can be read, and differs from every other', () => {
    const made = Array.from({ length: 100 }, newTraceparent);
    expect(made.map(readTraceparent)).toEqual(made);
    expect(new Set(made.map(traceIdOf)).size).toBe(100);
  });

  it('of a child has its trace and flags, and a span of its own', () => {
    const parent = `00-${TRACE}-${SPAN}-01`;
    const child = childTraceparent(parent);
    expect(readTraceparent(child)).toBe(child);
    expect([traceIdOf(child), child.slice(-2)]).toEqual([TRACE, '01']);
    expect(child).not.toContain(SPAN);
  });
});
