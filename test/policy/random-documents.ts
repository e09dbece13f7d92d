import { EGRESS_CLASSES, EVERY_OPERATOR, type EgressClass } from '../../src/policy/egress-class.ts';
import type { AggregateOp } from '../../src/promql/ast.ts';
import type { Random } from '../random.ts';

/** A generated document of a policy, as an object whose JSON is its text. */
export interface RandomDocument {
  readonly version: 1;
  readonly domain: string;
  readonly labels?: {
    readonly permit?: readonly string[];
    readonly match?: readonly string[];
    readonly deny?: readonly string[];
  };
  readonly metrics?: readonly RandomRule[];
  readonly default_class?: EgressClass;
  readonly limits?: { readonly answer_rows?: number; readonly answer_bytes?: number; readonly bytes_per_day?: number };
  readonly admit?: {
    readonly prohibit?: readonly string[];
    readonly public?: readonly string[];
    readonly drop?: readonly object[];
  };
}

export interface RandomRule {
  readonly match: string;
  readonly class?: EgressClass;
  readonly operators?: readonly AggregateOp[];
  readonly min_series?: number;
}

/** Names that meet the globs below in many ways; the first five are those of hostile fragments. */
export const METRICS = ['m_a', 'm_b', 'n_a', 'n_b', 'secret_a', 'm', 'm_', 'ab', 'n_ab', 'x', 'mm_aa'];
const GLOBS = ['m_*', '*_a', 'n_*', '*_b', '*', 'm_a', 'n_b', '*a*', 'secret_*', 'm*a', 'n_*b', 'mm*'];

/** Two public, two that nobody knows, three quasi-identifying. */
const LISTABLE = ['service', 'region', 'v', 'customer', 'pod', 'instance', 'tenant'];
/** With structural ones, a subject, a prohibited one and other spellings. */
export const LABELS = [
  ...LISTABLE,
  '__name__',
  'job',
  'domain',
  'user_id',
  'email',
  'exported_service',
  'other',
  'Region',
];

export function randomDocument(random: Random): RandomDocument {
  const maybe = <T>(p: number, make: () => T): T | undefined => (random.chance(p) ? make() : undefined);
  const some = <T>(names: readonly T[]): readonly T[] => random.subset(names, random.pick([0.3, 0.6, 0.9]));
  const admit = maybe(0.4, () => ({
    prohibit: maybe(0.4, () => random.subset(['customer', 'other', 'region'], 0.4)),
    public: maybe(0.5, () => some(['v', 'customer', 'other'])),
    drop: maybe(0.3, () => [{ metrics: random.pick(['m_*', 'n_a']), labels: ['pod'] }]),
  }));
  // A document cannot list what it prohibits.
  const listable = LISTABLE.filter((label) => !(admit?.prohibit ?? []).includes(label));
  const document: { [Field in keyof RandomDocument]: RandomDocument[Field] | undefined } = {
    version: 1,
    domain: 'eu',
    labels: maybe(0.8, () =>
      defined({
        permit: maybe(0.7, () => (random.chance(0.3) ? ['*'] : some(listable))),
        match: maybe(0.5, () => some(listable)),
        deny: maybe(0.4, () => random.subset(LISTABLE, 0.3)),
      }),
    ),
    metrics: maybe(0.8, () => some(GLOBS).map((match) => randomRule(random, match))),
    default_class: maybe(0.5, () => random.pick(EGRESS_CLASSES)),
    limits: maybe(0.4, () =>
      defined({
        answer_rows: maybe(0.5, () => random.int(1, 5)),
        answer_bytes: maybe(0.5, () => random.int(1, 5)),
        bytes_per_day: maybe(0.5, () => random.int(1, 5)),
      }),
    ),
    admit: admit && defined(admit),
  };
  return defined(document) as RandomDocument;
}

function randomRule(random: Random, match: string): RandomRule {
  const egress = random.chance(0.75) ? random.pick(EGRESS_CLASSES) : undefined;
  if (egress === 'open' || egress === 'sealed') return { match, class: egress };
  const operators = random.chance(0.6) || egress === undefined ? random.subset(EVERY_OPERATOR, 0.6) : undefined;
  const minSeries = random.chance(0.4) ? random.int(1, 6) : undefined;
  return defined({ match, class: egress, operators, min_series: minSeries }) as RandomRule;
}

/** Without fields that are undefined. */
function defined<T extends object>(value: T): { [Field in keyof T]?: Exclude<T[Field], undefined> } {
  return JSON.parse(JSON.stringify(value)) as never;
}
