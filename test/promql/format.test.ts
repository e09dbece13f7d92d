import { expect, test } from 'vitest';
import { ALL_FEATURES } from '../../src/promql/features.ts';
import { formatExpr } from '../../src/promql/format.ts';

const LONG = 'http_requests_total{code=~"5..",handler!="/healthz",job="a-service-with-a-name-that-is-rather-long"}';

test.for([
  ['sum  by(a)(b)#x', ['sum by (a) (b)']],
  ['{ b="1" , "up", a="2" }', ['{__name__="up",a="2",b="1"}']],
  ['up{b="1",a="2"}', ['up{a="2",b="1"}']],
  [
    `sum by (job) (rate(${LONG}[5m])) / sum by (job) (rate(${LONG}[5m]))`,
    [
      '  sum by (job) (',
      '    rate(',
      `      ${LONG}[5m]`,
      '    )',
      '  )',
      '/',
      '  sum by (job) (',
      '    rate(',
      `      ${LONG}[5m]`,
      '    )',
      '  )',
    ],
  ],
  [
    `topk(3, (${LONG} > bool on (a) group_left fill(0) up))`,
    ['topk(', '  3,', '  (', `      ${LONG}`, '    > bool on (a) group_left () fill (0)', '      up', '  )', ')'],
  ],
  [
    `max_over_time((${LONG} - -up)[1h:5m])`,
    ['max_over_time(', '  (', `      ${LONG}`, '    -', '      -up', '  )[1h:5m]', ')'],
  ],
  [`info(${LONG}, {version=""}) + 1`, ['  info(', `    ${LONG},`, '    {version=""}', '  )', '+', '  1']],
  [`(${LONG} offset (5m)) * 2`, ['  (', `    ${LONG} offset (5m)`, '  )', '*', '  2']],
  [`${LONG} offset (5m) anchored * 2`, ['  (', `    ${LONG} anchored offset (5m)`, '  )', '*', '  2']],
] as const)('%s', ([text, want]) => {
  const formatted = formatExpr(text, ALL_FEATURES);
  expect(formatted).toBe(want.join('\n'));
  expect(formatExpr(formatted, ALL_FEATURES)).toBe(formatted);
});
