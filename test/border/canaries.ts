import type { SeriesColumns } from '../../src/model/series.ts';
import { exponential, nativeSeries } from '../engine/native-series.ts';
import { series } from '../memory-source.ts';

/** A label value that no policy lets out; no answer may hold it, in any encoding of ours. */
export const CANARY = 'canary-4711';

export const POLICY = `
version: 1
domain: eu
labels: {permit: [service]}
metrics:
  - {match: up, class: open}
  - {match: open_*, class: open}
  - {match: secret_*, class: sealed}
  - {match: top, class: aggregate, operators: [sum, topk, bottomk, limitk, limit_ratio, count_values, quantile]}
  - {match: mute, class: aggregate, operators: [sum]}
`;

const at = (value: number): [number, number][] => [
  [15_000, value],
  [45_000, value],
];
const bucket = (name: string, le: string, value: number): SeriesColumns =>
  series({ __name__: name, job: 'a', le, domain: 'eu' }, at(value));
const native = (name: string, labels: Record<string, string>): SeriesColumns =>
  nativeSeries({ __name__: name, job: 'a', domain: 'eu', ...labels }, [[45_000, exponential(0, [[1, 3]])]]);

export const HELD: readonly SeriesColumns[] = [
  series({ __name__: 'up', job: 'a', service: 's', domain: 'eu' }, at(47)),
  series({ __name__: 'open_queue', job: 'a', customer: CANARY, domain: 'eu' }, at(3)),
  series({ __name__: 'm', job: 'a', service: 's', customer: CANARY, domain: 'eu' }, at(5)),
  series({ __name__: 'm', job: 'a', service: 't', customer: 'other', domain: 'eu' }, at(6)),
  series({ __name__: 'm', job: 'a', service: 't', __type__: CANARY, domain: 'eu' }, at(7)),
  series({ __name__: 'mute', job: 'a', service: 't', domain: 'eu' }, at(6)),
  ...[1, 2, 3].map((i) => series({ __name__: 'top', job: 'a', service: `s${i}`, domain: 'eu' }, at(i))),
  // Whichever of them is picked, it carries a label that may not leave.
  series({ __name__: 'open_more', job: 'a', customer: CANARY, domain: 'eu' }, at(9)),
  bucket('h_bucket', '1', 8),
  bucket('h_bucket', '2', 5),
  bucket('h_bucket', '+Inf', 9),
  bucket('open_bucket', '1', 8),
  bucket('open_bucket', '2', 5),
  bucket('open_bucket', '+Inf', 9),
  native('nh', { service: 's' }),
  native('nh', { service: 't', customer: CANARY }),
  native('open_nh', { service: 's' }),
  native('open_nh_more', { service: 's', customer: CANARY }),
];
