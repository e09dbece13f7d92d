import { quoted, type Node, type Selector, type Subquery, type Time } from './grammar.ts';
import { offsetText, resolutionText, windowText, type DurationForm } from './durations.ts';
import type { Metric } from './dataset.ts';
import { isSpread, pickMetric, type Scope, type Wanted } from './scope.ts';

/** An instant selector of a fitting metric. */
export function instantSelector(scope: Scope, wanted: Wanted): Selector {
  const { random, language } = scope;
  const selector = bare(scope, pickMetric(scope, wanted), wanted);
  const smoothed = language.modifiers.has('smoothed') && random.chance(0.04);
  return smoothed ? { ...selector, extended: 'smoothed' } : selector;
}

/** A range selector of a fitting metric, or a subquery over an instant vector. */
export function rangeVector(scope: Scope, wanted: Wanted, depth: number): Node {
  if (scope.random.chance(0.18)) return subquery(scope, scope.vector(wanted, Math.max(0, depth - 1)));
  return rangeSelector(scope, wanted);
}

export function rangeSelector(scope: Scope, wanted: Wanted, form?: DurationForm): Selector {
  return { ...bare(scope, pickMetric(scope, wanted), wanted), range: windowText(scope, form) };
}

export function subquery(scope: Scope, expr: Node): Subquery {
  const step = resolutionText(scope);
  const made: Subquery = { kind: 'subquery', expr, range: windowText(scope), time: randomTime(scope) };
  return step === undefined ? made : { ...made, step };
}

/** Modifiers of time for some: `@`, `offset`, both in either order. */
function randomTime(scope: Scope): Time {
  const { random } = scope;
  const at = random.chance(0.07) ? atText(scope) : undefined;
  const offset = random.chance(0.1) ? offsetText(scope, random.chance(0.4)) : undefined;
  return {
    ...(at === undefined ? {} : { at }),
    ...(offset === undefined ? {} : { offset }),
    ...(at !== undefined && offset !== undefined && random.chance(0.5) ? { offsetFirst: true } : {}),
  };
}

export function atText({ random, when }: Scope): string {
  const [from, to] = when.kind === 'instant' ? [when.timeMs, when.timeMs] : [when.startMs, when.endMs];
  return random.weighted<() => string>([
    [2, () => 'start()'],
    [2, () => 'end()'],
    [2, () => String(Math.round(random.float(from - 300_000, to + 60_000)) / 1000)],
    [1, () => String(Math.round(from / 60_000) * 60)],
  ])();
}

/** A selector without a range: the metric's name in one of its forms, and a few matchers. */
function bare(scope: Scope, metric: Metric, wanted: Wanted): Selector {
  const { random } = scope;
  const matchers = random.chance(0.35) ? [matcher(scope)] : [];
  if (random.chance(0.1)) matchers.push(matcher(scope));
  const time = randomTime(scope);
  const plain = /^[a-z_:][\w:]*$/i.test(metric.name);
  const form = random.weighted<'name' | 'equal' | 'quoted' | 'several'>([
    [plain ? 20 : 0, 'name'],
    [1, 'equal'],
    [plain ? 1 : 5, 'quoted'],
    [1, 'several'],
  ]);
  switch (form) {
    case 'name':
      return { kind: 'selector', name: metric.name, matchers, time };
    case 'equal':
      return { kind: 'selector', matchers: [`__name__=${quoted(metric.name)}`, ...matchers], time };
    case 'quoted':
      return { kind: 'selector', matchers: [quoted(metric.name), ...matchers], time };
    case 'several': {
      const other = pickMetric(scope, wanted);
      const names = random.pick([`${metric.name}|${other.name}`, `${metric.name.slice(0, -1)}.*|${other.name}`]);
      return { kind: 'selector', matchers: [`__name__=~${quoted(names)}`, ...matchers], time };
    }
  }
}

function matcher(scope: Scope): string {
  const { random, data } = scope;
  const label = random.weighted([
    [4, 'job'],
    [4, 'instance'],
    [1, random.pick([...data.values.keys()])],
    [0.3, 'nothing'],
    [isSpread(scope) ? 5 : 0, 'domain'],
  ]);
  const values = data.values.get(label) ?? [''];
  const value = random.pick(values);
  const name = /^[A-Za-z_]\w*$/.test(label) ? label : quoted(label);
  return random.weighted<() => string>([
    [3, () => `${name}=${quoted(value)}`],
    [3, () => `${name}!=${quoted(value)}`],
    [
      2,
      () =>
        `${name}=~${quoted(random.pick([`${literally(value)}|b:.`, '.+', '.*', '[a-d].*', `${literally(value)}?`]))}`,
    ],
    [2, () => `${name}!~${quoted(random.pick([literally(value), 'b.*|', 'x.+', '[ab]:[0-9]']))}`],
    [0.5, () => `${name}!=""`],
  ])();
}

function literally(value: string): string {
  return value.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`);
}
