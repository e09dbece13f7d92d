import Type, { type Static } from 'typebox';
import { DEFAULT_OPERATORS, EGRESS_CLASSES, LISTED_OPERATORS } from './egress-class.ts';

const CLASS_WORDS =
  'open: series may leave as they are. aggregate: results of the listed aggregations. protected: nothing as yet. sealed: nothing.';

const egressClass = (description: string) => Type.Enum([...EGRESS_CLASSES], { description });

const names = (description: string, maxItems = 4_096) =>
  Type.Array(Type.String({ minLength: 1, maxLength: 1_024 }), { description, maxItems });

const count = (description: string, maximum: number) => Type.Integer({ minimum: 1, maximum, description });

const closed = { additionalProperties: false } as const;

const LABELS = Type.Object(
  {
    permit: Type.Optional(
      names(
        'Labels beyond the public ones that may group and leave; "*" alone for every label. Of several documents with a list, all must name a label.',
      ),
    ),
    match: Type.Optional(
      names(
        'Quasi-identifying labels (pod, instance, tenant, …) that may also stand in matchers, out of those that may leave.',
      ),
    ),
    deny: Type.Optional(names('Labels that may neither leave nor match, public ones too.')),
  },
  { ...closed, description: 'Labels that answers may carry and questions may match on.' },
);

const RULE = Type.Object(
  {
    match: Type.String({
      minLength: 1,
      maxLength: 1_024,
      description: 'A metric name, or a glob in which * stands for any characters. The most specific rule decides.',
    }),
    class: Type.Optional(egressClass(CLASS_WORDS)),
    operators: Type.Optional(
      Type.Array(Type.Enum([...DEFAULT_OPERATORS, ...LISTED_OPERATORS]), {
        uniqueItems: true,
        description: `Aggregations that let the metric out; ${DEFAULT_OPERATORS.join(', ')} where no document lists any.`,
      }),
    ),
    min_series: Type.Optional(
      count('So many series must contribute to every group at every step; smaller groups are left out.', 1_000_000),
    ),
  },
  closed,
);

const ADMIT = Type.Object(
  {
    prohibit: Type.Optional(names('Attribute keys and labels that are treated as prohibited at ingest.')),
    public: Type.Optional(names('Attribute keys and labels that the tables do not know and that are public here.')),
    quasi: Type.Optional(
      names('Attribute keys and labels that the tables do not know and that are quasi-identifying here.'),
    ),
    drop: Type.Optional(
      Type.Array(
        Type.Object(
          {
            metrics: Type.String({ minLength: 1, maxLength: 1_024, description: 'A metric name or a glob.' }),
            labels: Type.Array(Type.String({ minLength: 1, maxLength: 1_024 }), { minItems: 1, maxItems: 64 }),
          },
          closed,
        ),
        {
          maxItems: 1_024,
          description: 'Labels that are taken off metrics at ingest; the counters that it joins become one.',
        },
      ),
    ),
  },
  { ...closed, description: 'What becomes of attributes and labels at ingest, beyond the built-in tables.' },
);

/**
 * A document of a domain's policy. Every field but `version` and `domain` is optional, and silence takes nothing away: what
 * no document says has a default, which holds once for all of them.
 */
export const POLICY_SCHEMA = Type.Object(
  {
    version: Type.Literal(1),
    domain: Type.String({
      minLength: 1,
      maxLength: 1_024,
      description: 'The domain that the document is for; "*" in a global document, for any.',
    }),
    labels: Type.Optional(LABELS),
    metrics: Type.Optional(
      Type.Array(RULE, { maxItems: 10_000, description: 'What may leave, by the names of metrics.' }),
    ),
    default_class: Type.Optional(
      egressClass('The class of metrics whose rule says none; aggregate where no document says any.'),
    ),
    limits: Type.Optional(
      Type.Object(
        {
          answer_rows: Type.Optional(count('Rows of one answer.', Number.MAX_SAFE_INTEGER)),
          answer_bytes: Type.Optional(count('Bytes of one answer.', Number.MAX_SAFE_INTEGER)),
          bytes_per_day: Type.Optional(
            count('Bytes that leave for all consumers together in a day (UTC).', Number.MAX_SAFE_INTEGER),
          ),
        },
        closed,
      ),
    ),
    admit: Type.Optional(ADMIT),
  },
  closed,
);

export type PolicyDocument = Static<typeof POLICY_SCHEMA>;
