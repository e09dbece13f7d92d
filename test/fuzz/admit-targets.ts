import { admission } from '../../src/policy/admit.ts';
import { admitSpans } from '../../src/policy/admit-span.ts';
import { spansJson } from '../../src/policy/admitted-json.ts';
import { domainKeys } from '../../src/policy/domain-key.ts';
import { decodeTraceRequest, type OtlpFormat } from '../../src/wire/otlp/decode.ts';
import { canaryRequest } from '../policy/canary-request.ts';
import { traceProtobuf } from '../wire/otlp-requests.ts';
import type { FuzzTarget } from './target.ts';

const NOW_MS = 1_767_225_600_000;

/** The admission of whole spans behind the decoders of requests. */
export function admitTargets(): FuzzTarget[] {
  return [target('admit-span-protobuf', 'protobuf'), target('admit-span-json', 'json')];
}

function target(name: string, format: OtlpFormat): FuzzTarget {
  const admit = admission({ keys: domainKeys(Buffer.alloc(32, 7)), domainLabel: 'domain', now: () => NOW_MS });
  return {
    name,
    valid(random) {
      const request = canaryRequest(random, NOW_MS);
      return format === 'json' ? Buffer.from(JSON.stringify(request)) : traceProtobuf(request);
    },
    decode(input) {
      const { resources } = admitSpans(decodeTraceRequest(input, format), admit);
      for (const { scopes } of resources) {
        for (const { traceId, spanId, attributes, events, links } of scopes.flatMap(({ spans }) => spans)) {
          if (!/^[0-9a-f]{32}$/.test(traceId) || !/^[0-9a-f]{16}$/.test(spanId)) throw new Error('a span without ids');
          for (const { key } of [attributes, ...[...events, ...links].map((one) => one.attributes)].flat()) {
            if (admit.attributeRule(key).class === 'prohibited') throw new Error(`the attribute ${key} was kept`);
          }
        }
      }
      // Whoever keeps the spans can hand them on.
      decodeTraceRequest(Buffer.from(JSON.stringify(spansJson(resources))), 'json');
    },
  };
}
