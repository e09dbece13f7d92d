import Type, { type TSchema } from 'typebox';
import { Compile, type Validator } from 'typebox/compile';
import { RELEASE_KINDS } from './leaf.ts';

/** What is wrong with a leaf, naming the field; undefined for one of this version. */
export function leafFault(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'it is no object';
  const { v, kind } = value as { readonly v?: unknown; readonly kind?: unknown };
  if (v !== 1) return `its version is ${JSON.stringify(v)}, and 1 is known`;
  const validator = typeof kind === 'string' ? VALIDATORS.get(kind) : undefined;
  if (validator === undefined) return `its kind is none of ${[...VALIDATORS.keys()].join(', ')}`;
  if (validator.Check(value)) return undefined;
  const [first] = validator.Errors(value);
  return `${first?.instancePath === '' ? 'a field' : first?.instancePath} ${first?.message ?? 'is wrong'}`;
}

const CLOSED = { additionalProperties: false } as const;
const TEXT = Type.String();
const TEXTS = Type.Array(TEXT);
const COUNT = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const MINUTE = Type.String({ pattern: '^[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]Z$' });
/** Empty in leaves that several answers share. */
const COMMITMENT = Type.String({ pattern: '^([0-9a-f]{64})?$' });

const FRAGMENT = Type.Object(
  {
    decision: oneOf('released', 'refused'),
    reason: Type.Optional(Type.String({ pattern: '^[a-z_]{1,64}$' })),
    metrics: TEXTS,
    operators: TEXTS,
    dimensions: TEXTS,
    from: MINUTE,
    to: MINUTE,
    step_seconds: Type.Number({ minimum: 0 }),
    cells: Type.String({ pattern: '^(0|10*-9+)$' }),
    class: Type.Optional(oneOf('open', 'aggregate')),
    min_series: Type.Optional(COUNT),
  },
  CLOSED,
);

const COMMON = { v: Type.Literal(1), domain: TEXT, agent: TEXT };

const VALIDATORS: ReadonlyMap<string, Validator> = new Map([
  of('release', {
    what: oneOf(...RELEASE_KINDS),
    minute: MINUTE,
    consumer: Type.String({ pattern: '^[0-9a-f]{32}$' }),
    destination: TEXT,
    policy: TEXT,
    decision: oneOf('released', 'partly', 'refused'),
    fragments: Type.Array(FRAGMENT),
    bytes: COUNT,
    times: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000 })),
    request: COMMITMENT,
    answer: COMMITMENT,
  }),
  of('policy', {
    minute: MINUTE,
    policy: TEXT,
    state: oneOf('in force', 'deny all'),
    reason: Type.Optional(TEXT),
    bundle: Type.Optional(Type.Object({ digest: TEXT, version: COUNT, expires: TEXT }, CLOSED)),
    layers: Type.Array(Type.Object({ layer: TEXT, digest: TEXT }, CLOSED)),
    approvers: TEXTS,
    loosening: Type.Boolean(),
    changes: TEXTS,
  }),
  of('start', {
    minute: MINUTE,
    version: TEXT,
    jurisdiction: TEXT,
    key: TEXT,
    source: oneOf('store', 'upstream'),
  }),
  of('redaction', {
    from: MINUTE,
    to: MINUTE,
    counts: Type.Array(Type.Object({ place: TEXT, rule: TEXT, reason: TEXT, action: TEXT, count: COUNT }, CLOSED)),
  }),
]);

function of(kind: string, fields: Readonly<Record<string, TSchema>>): [string, Validator] {
  return [kind, Compile(Type.Object({ ...COMMON, kind: Type.Literal(kind), ...fields }, CLOSED))];
}

function oneOf(...values: readonly string[]) {
  return Type.Union(values.map((value) => Type.Literal(value)));
}
