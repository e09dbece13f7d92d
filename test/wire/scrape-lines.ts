import type { Random } from '../random.ts';

const NUMBERS = [
  '0',
  '1',
  '3.5',
  '-1',
  '1e3',
  'NaN',
  '+Inf',
  '-Inf',
  '0.1',
  '123456789',
  '-0',
  '12345678901234567890.5',
];
const BAD_NUMBERS = ['0x1p1', '1_0', '', 'abc', '1e999', '--1', '+nan'];
const NAMES = ['foo', 'a:b', 'h', 'h_bucket', 'h_count', 'h_sum', 'foo_total', 'foo_created', '_x', 'x1'];
const VALUES = ['b', '', 'é', 'a\\nb', 'x\\"y', '\\\\', '\\q', '0.5', '1', '+Inf', '1e-7', '100', '1000000'];
const LABELS = ['a', 'b', 'c', 'd', 'le', 'quantile', '"x.y"'];
const TYPES = ['counter', 'gauge', 'histogram', 'summary', 'unknown', 'untyped', 'info', 'stateset', 'gaugehistogram'];

/** How much of a text goes wrong. */
export interface TextOptions {
  /** The probability of each place to be broken. */
  readonly badness?: number;
  /** A time in the format's unit; without it, no sample has one. */
  readonly time?: ((random: Random) => string) | undefined;
}

/** Some lines of the text format or of OpenMetrics, most of them right. A label `n` makes the series of each line its own. */
export function randomText(random: Random, openMetrics: boolean, { badness = 0.02, time }: TextOptions = {}): Buffer {
  const bad = () => random.chance(badness);
  const blank = () => (!openMetrics && random.chance(0.1) ? random.pick([' ', '\t', '  ']) : bad() ? ' ' : '');
  let serial = 0;

  function labels(): string {
    const pairs = random
      .subset(LABELS, 0.25)
      .map((label) => `${blank()}${label}${blank()}=${blank()}"${random.pick(VALUES)}"${blank()}`);
    if (bad()) pairs.push(random.pick(['a', '=', '"', 'a=b', '1="x"', '']));
    return [`n="${serial++}"`, ...pairs].join(bad() ? ' ' : ',') + (random.chance(0.1) ? ',' : '');
  }

  function suffix(): string {
    const value = bad() ? random.pick(BAD_NUMBERS) : random.pick(NUMBERS);
    const when = bad() ? ' x' : time !== undefined && random.chance(0.3) ? ` ${time(random)}` : '';
    const exemplar =
      openMetrics && random.chance(0.1) ? ` # {trace_id="t${random.int(0, 9)}"} ${random.int(0, 9)}` : '';
    return `${blank()} ${value}${when}${exemplar}`;
  }

  function sample(): string {
    if (random.chance(0.1)) return `{"wïth spaces",${labels()}}${suffix()}`;
    return `${random.pick(NAMES)}{${labels()}}${suffix()}`;
  }

  function histogram(): string[] {
    const own = `n="${serial++}"`;
    let count = 0;
    const bounds = random.subset(['-1', '0.5', '1', '2.50', '10', '1e6'], 0.7);
    const buckets = [...bounds, '+Inf'].map((bound) => {
      count += random.int(0, 3);
      return `h_bucket{${own},le="${bound}"} ${count}`;
    });
    return ['# TYPE h histogram', ...buckets, `h_count{${own}} ${count}`, `h_sum{${own}} ${random.pick(NUMBERS)}`];
  }

  function meta(): string {
    if (bad()) return random.pick(['# FOO x', '#', '# ', '# HELP', '# TYPE foo', '# UNIT foo bar', '# EOF']);
    if (random.chance(0.5)) return `# HELP ${random.pick(NAMES)} Some \\\\ text\\n`;
    const types = openMetrics
      ? TYPES.filter((type) => type !== 'untyped')
      : ['counter', 'gauge', 'histogram', 'summary', 'untyped'];
    return `# TYPE ${random.pick(NAMES)} ${random.pick(types)}`;
  }

  const lines: string[] = [];
  for (let i = random.int(1, 6); i > 0; i--) {
    const kind = random.next();
    if (kind < 0.5) lines.push(sample());
    else if (kind < 0.75) lines.push(...histogram());
    else lines.push(meta());
  }
  if (openMetrics && !bad()) lines.push('# EOF');
  return Buffer.from(lines.join('\n') + (random.chance(0.7) ? '\n' : ''));
}
