import type { AggregateOp } from '../promql/ast.ts';
import type { EgressClass } from './egress-class.ts';

/** Who wrote a document: all domains' owner, the domain, or whoever runs the agent. */
export const LAYER_NAMES = ['global', 'domain', 'local'] as const;
export type LayerName = (typeof LAYER_NAMES)[number];

/** What one document says of some metrics; undefined is silence, which takes nothing away. */
export interface Said {
  readonly layer: LayerName;
  /** Of the rule; `*` where none matches. */
  readonly glob: string;
  /** The same; undefined where the document's default class speaks, if anything does. */
  readonly rule: string | undefined;
  readonly class?: EgressClass | undefined;
  readonly operators?: ReadonlySet<AggregateOp> | undefined;
  readonly minSeries?: number | undefined;
}

/** A document, asked about metrics. */
export interface Speaker {
  /** What its most specific rule says of a metric: an exact name, then the longest glob, then its default class. */
  saysOf(metric: string): Said;
  /** All that it says, most specific first; the last is of every metric. */
  readonly rules: readonly Said[];
}
