import { createHash } from 'node:crypto';
import Type, { type Static } from 'typebox';
import { ComityError } from '../base/errors.ts';
import { parseConfig } from '../base/config.ts';

/**
 * What may leave of a metric. `open`: its series at a query's steps, if all their labels may leave. `aggregate`: results
 * of an aggregation over permitted labels. `sealed`: nothing.
 */
export type EgressClass = 'open' | 'aggregate' | 'sealed';

const EGRESS_CLASS = Type.Union([Type.Literal('open'), Type.Literal('aggregate'), Type.Literal('sealed')]);

const POLICY = Type.Object(
  {
    version: Type.Literal(1),
    domain: Type.String({ minLength: 1 }),
    labels: Type.Object({ permit: Type.Array(Type.String({ minLength: 1 })) }, { additionalProperties: false }),
    metrics: Type.Optional(
      Type.Array(
        Type.Object({ match: Type.String({ minLength: 1 }), class: EGRESS_CLASS }, { additionalProperties: false }),
      ),
    ),
    default_class: Type.Optional(EGRESS_CLASS),
  },
  { additionalProperties: false },
);

/** Labels that carry structure rather than information about anyone; they may always leave. */
const STRUCTURAL_LABELS = ['__name__', 'le', 'quantile', 'job'];

/** A domain's release policy, ready to be asked. */
export interface Policy {
  readonly domain: string;
  /** SHA-256 of the document's text, in hexadecimal. */
  readonly digest: string;
  permitsLabel(name: string): boolean;
  /** The class by the most specific rule for a metric: an exact name, then the longest glob, then the default. */
  classOf(metric: string): EgressClass;
  /** Whether some metric whose name begins with `prefix` could be sealed, whatever the domain holds. */
  maySeal(prefix: string): boolean;
}

/** Reads the text of a policy. Throws `bad_config` naming the field at fault; an unreadable policy never means "allow". */
export function parsePolicy(text: string, source: string, domain: string, domainLabel: string): Policy {
  const document: Static<typeof POLICY> = parseConfig(text, POLICY, source);
  if (document.domain !== domain) {
    throw new ComityError('bad_config', `${source}: the policy is for domain ${document.domain}, not for ${domain}`);
  }
  const permitted = new Set([...STRUCTURAL_LABELS, domainLabel, ...document.labels.permit]);
  const rules = (document.metrics ?? [])
    .map((rule) => ({ ...rule, exact: !rule.match.includes('*'), test: globTest(rule.match) }))
    .sort((a, b) => Number(b.exact) - Number(a.exact) || b.match.length - a.match.length);
  const fallback = document.default_class ?? 'aggregate';
  return {
    domain,
    digest: createHash('sha256').update(text).digest('hex'),
    permitsLabel: (name) => permitted.has(name),
    maySeal: (prefix) =>
      fallback === 'sealed' ||
      rules.some(({ match, exact, class: egress }) => egress === 'sealed' && meets(prefix, match, exact)),
    classOf: (metric) => rules.find((rule) => rule.test(metric))?.class ?? fallback,
  };
}

/** Whether a name that begins with `prefix` can match a rule. */
function meets(prefix: string, match: string, exact: boolean): boolean {
  if (exact) return match.startsWith(prefix);
  const fixed = match.slice(0, match.indexOf('*'));
  return fixed.startsWith(prefix) || prefix.startsWith(fixed);
}

/** A glob in which `*` stands for any run of characters. Matched piece by piece: linear, whatever the pattern. */
function globTest(glob: string): (text: string) => boolean {
  const [first, ...rest] = glob.split('*') as [string, ...string[]];
  if (rest.length === 0) return (text) => text === glob;
  const last = rest.pop()!;
  return (text) => {
    if (!text.startsWith(first)) return false;
    let at = first.length;
    for (const piece of rest) {
      const found = text.indexOf(piece, at);
      if (found < 0) return false;
      at = found + piece.length;
    }
    return text.length - last.length >= at && text.endsWith(last);
  };
}
