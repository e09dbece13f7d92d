import { literal, mapChildren, paren, type Node } from './grammar.ts';

/** What looks at where the buckets are that hold nothing. */
const READS_BUCKETS: ReadonlySet<string> = new Set(['histogram_quantile', 'histogram_quantiles', 'histogram_fraction']);

/**
 * The query with the empty buckets of native histograms gone before anything looks at them; undefined where nothing does. A
 * chunk of Prometheus gives all its samples the buckets of all: where those are empty, a quantile can hang on where a chunk
 * begins and ends, which no other program knows.
 */
export function withoutEmptyBuckets(node: Node): Node | undefined {
  let found = false;
  const replace = (part: Node): Node => {
    const inner = mapChildren(part, replace);
    if (inner.kind !== 'call' || !READS_BUCKETS.has(inner.func)) return inner;
    found = true;
    // Arithmetic leaves out what holds nothing. The vector is the one argument that is no literal, or the first such.
    const at = inner.args.findIndex(({ kind }) => kind !== 'literal');
    if (at < 0) return inner;
    const times: Node = paren({ kind: 'binary', op: '*', left: inner.args[at]!, right: literal(1) });
    return { ...inner, args: inner.args.with(at, times) };
  };
  const changed = replace(node);
  return found ? changed : undefined;
}
