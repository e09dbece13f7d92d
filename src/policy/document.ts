import { createHash } from 'node:crypto';
import Type, { type Static } from 'typebox';
import { ComityError } from '../base/errors.ts';
import { parseConfig } from '../base/config.ts';
import type { AggregateOp } from '../promql/ast.ts';
import { globCovers, globMeets, globTest } from './glob.ts';

/**
 * What may leave of a metric. `open`: its series at a query's steps, if all their labels may leave. `aggregate`: results
 * of the listed aggregations over permitted labels. `sealed`: nothing.
 */
export type EgressClass = 'open' | 'aggregate' | 'sealed';

/** What a rule of a policy says of the metrics that it decides. */
export interface MetricRule {
  /** The glob of the rule, or `default` where none matches. */
  readonly rule: string;
  readonly class: EgressClass;
  /** The aggregations that let the metric out where its class is `aggregate`; `quantile` means a sketch. */
  readonly operators: ReadonlySet<AggregateOp>;
}

/** A domain's release policy, ready to be asked. */
export interface Policy {
  readonly domain: string;
  /** SHA-256 of the document's text, in hexadecimal. */
  readonly digest: string;
  /** Whether every label may leave, so that nobody needs to look which labels there are. */
  readonly permitsAllLabels: boolean;
  permitsLabel(name: string): boolean;
  /** The most specific rule for a metric: an exact name, then the longest glob, then the default. */
  ruleOf(metric: string): MetricRule;
  classOf(metric: string): EgressClass;
  operatorsOf(metric: string): ReadonlySet<AggregateOp>;
  /** The rules that decide metrics whose names begin with `prefix`, whatever the domain holds. */
  rulesBelow(prefix: string): readonly MetricRule[];
}

/** Aggregations of an aggregate metric that a policy need not list: each value that they give draws on all of a group. */
const DEFAULT_OPERATORS = ['sum', 'count', 'avg', 'group', 'min', 'max', 'stddev', 'stdvar'] as const;
/** Those that it must list: they show single series, or values as they are. */
const LISTED_OPERATORS = ['quantile', 'topk', 'bottomk', 'limitk', 'limit_ratio', 'count_values'] as const;

const EGRESS_CLASS = Type.Union([Type.Literal('open'), Type.Literal('aggregate'), Type.Literal('sealed')]);
const OPERATOR = Type.Enum([...DEFAULT_OPERATORS, ...LISTED_OPERATORS]);

const POLICY = Type.Object(
  {
    version: Type.Literal(1),
    domain: Type.String({ minLength: 1 }),
    labels: Type.Object({ permit: Type.Array(Type.String({ minLength: 1 })) }, { additionalProperties: false }),
    metrics: Type.Optional(
      Type.Array(
        Type.Object(
          {
            match: Type.String({ minLength: 1 }),
            class: EGRESS_CLASS,
            operators: Type.Optional(Type.Array(OPERATOR, { uniqueItems: true })),
          },
          { additionalProperties: false },
        ),
      ),
    ),
    default_class: Type.Optional(EGRESS_CLASS),
  },
  { additionalProperties: false },
);

/** Labels that carry structure rather than information about anyone; they may always leave. */
const STRUCTURAL_LABELS = ['__name__', 'le', 'quantile', 'job'];

/** In `labels.permit`: every label. */
const EVERY_LABEL = '*';

/** Reads the text of a policy. Throws `bad_config` naming the field at fault; an unreadable policy never means "allow". */
export function parsePolicy(text: string, source: string, domain: string, domainLabel: string): Policy {
  const document: Static<typeof POLICY> = parseConfig(text, POLICY, source);
  if (document.domain !== domain) {
    throw new ComityError('bad_config', `${source}: the policy is for domain ${document.domain}, not for ${domain}`);
  }
  const permitted = new Set([...STRUCTURAL_LABELS, domainLabel, ...permittedLabels(document.labels.permit, source)]);
  const permitsAllLabels = permitted.has(EVERY_LABEL);
  const rules = (document.metrics ?? [])
    .map((rule, i) => readRule(rule, `${source}: /metrics/${i}`))
    .sort((a, b) => Number(b.isExact) - Number(a.isExact) || b.rule.length - a.rule.length);
  const fallback: MetricRule = {
    rule: 'default',
    class: document.default_class ?? 'aggregate',
    operators: new Set(DEFAULT_OPERATORS),
  };
  const ruleOf = (metric: string): MetricRule => rules.find((rule) => rule.test(metric)) ?? fallback;
  return {
    domain,
    digest: createHash('sha256').update(text).digest('hex'),
    permitsAllLabels,
    permitsLabel: (name) => permitsAllLabels || permitted.has(name),
    ruleOf,
    classOf: (metric) => ruleOf(metric).class,
    operatorsOf: (metric) => ruleOf(metric).operators,
    rulesBelow(prefix) {
      const meeting = rules.filter(({ rule }) => globMeets(rule, prefix));
      const covering = meeting.findIndex(({ rule }) => globCovers(rule, prefix));
      return covering < 0 ? [...meeting, fallback] : meeting.slice(0, covering + 1);
    },
  };
}

interface OrderedRule extends MetricRule {
  readonly isExact: boolean;
  test(metric: string): boolean;
}

type RuleDocument = NonNullable<Static<typeof POLICY>['metrics']>[number];

function readRule({ match, class: egress, operators }: RuleDocument, field: string): OrderedRule {
  if (operators !== undefined && egress !== 'aggregate') {
    // Whoever wrote it believes that it narrows the class, or widens it.
    throw new ComityError('bad_config', `${field}/operators: only a rule of class aggregate lists operators`);
  }
  return {
    rule: match,
    class: egress,
    operators: new Set<AggregateOp>(operators ?? DEFAULT_OPERATORS),
    isExact: !match.includes('*'),
    test: globTest(match),
  };
}

/** A pattern would silently permit nothing, as labels are compared with the list word for word. */
function permittedLabels(permit: readonly string[], source: string): readonly string[] {
  const pattern = permit.findIndex((label) => label !== EVERY_LABEL && label.includes('*'));
  if (pattern < 0) return permit;
  throw new ComityError(
    'bad_config',
    `${source}: /labels/permit/${pattern}: ${JSON.stringify(permit[pattern])} is no label; ` +
      'name each label, or write "*" alone for all of them',
  );
}
