import { valueText } from '../wire/otlp/any-value.ts';
import type { InstrumentationScope, KeyValue, Resource, Span } from '../wire/otlp/messages.ts';

/** Told of attributes as they were sent: names matter to it, values only to tell how many there are. */
export type AttributeSeen = (
  place: 'resource' | 'scope' | 'span' | 'event' | 'link',
  key: string,
  value: string,
) => void;

/** Looks at some spans and at what is around them: all of a small domain's, of a busy one's as many as cost nothing. */
export interface SpanSurvey {
  /** Whether the next thing of a request that arrived at `nowMs` is one to look at; `bytes` have to be decoded for that. */
  isDue(nowMs: number, bytes?: number): boolean;
  resource(resource: Resource | undefined): void;
  scope(scope: InstrumentationScope | undefined): void;
  span(span: Span): void;
}

/** Things looked at in a second at most, each some 10 µs: a tenth of a percent of a processor. */
const LOOKS_PER_SECOND = 100;

/** Of a second's things these are all looked at, and of the rest one in so many. */
const FIRST_LOOKS = 50;
const ONE_IN = 64;

/** What is longer is left alone: no sender makes the agent decode what it would not have to. */
const BYTES_LOOKED_AT = 64 * 1024;

/** Attributes of one list that are looked at. */
const ATTRIBUTES_LOOKED_AT = 256;

export function spanSurvey(seen: AttributeSeen, random: () => number = Math.random): SpanSurvey {
  let second = Number.NaN;
  let looks = 0;

  function attributes(place: Parameters<AttributeSeen>[0], list: readonly KeyValue[]): void {
    for (const { key, value } of list.slice(0, ATTRIBUTES_LOOKED_AT)) seen(place, key, valueText(value));
  }

  return {
    isDue(nowMs, bytes = 0) {
      if (bytes > BYTES_LOOKED_AT) return false;
      const current = Math.floor(nowMs / 1000);
      if (current !== second) {
        second = current;
        looks = 0;
      }
      if (looks >= LOOKS_PER_SECOND || (looks >= FIRST_LOOKS && random() * ONE_IN >= 1)) return false;
      looks++;
      return true;
    },
    resource: (resource) => attributes('resource', resource?.attributes ?? []),
    scope: (scope) => attributes('scope', scope?.attributes ?? []),
    span(span) {
      attributes('span', span.attributes);
      for (const event of span.events) attributes('event', event.attributes);
      for (const link of span.links) attributes('link', link.attributes);
    },
  };
}
