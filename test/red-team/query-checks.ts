import type { Edit } from '../../src/federationtest/plant-edits.ts';
import { edit, type Check } from './check.ts';

const CHECK = 'policy/check.ts';
const CARRIED = 'policy/carried-labels.ts';

/** A fault: nobody looks at the class of a metric, neither the tree's check nor whoever reads the samples. */
const NO_CLASS: readonly Edit[] = [
  edit(CHECK, 'rules.find(({ rule }) => isWithheld(rule.class))', 'rules.find(() => false)'),
  edit(CHECK, 'rules.find((selected) => !letsOut(selected, under, check))', 'rules.find(() => false)'),
  edit('shard/guard.ts', 'sealed = isWithheld(policy.classOf(name));', 'sealed = false;'),
];

/** Of what a fragment asks for: classes, operators, labels. */
export const QUERY_CHECKS: readonly Check[] = [
  {
    name: 'tree',
    entry: 'group by a restricted label',
    stops: 'fragments that the policy does not let out, before anything is looked up',
    edits: [
      edit(
        'border/request.ts',
        'return checkHeld(fragment, policy, (matchers) => border.data.kinds(matchers, deadlineMs, signal));',
        'return Promise.resolve({ refusal: undefined, hasLooked: false });',
      ),
    ],
    decides: [
      'policy/check.ts checkFragment',
      'policy/check.ts checkNode',
      'policy/check.ts checkSelector',
      'border/request.ts checkTree',
      'border/held-check.ts checkHeld',
    ],
  },
  {
    name: 'class-withheld',
    entry: 'bare selector',
    stops: 'sealed and protected metrics',
    edits: [NO_CLASS[0]!],
    decides: [],
  },
  {
    name: 'class-of-rows',
    entry: 'bare selector',
    stops: 'rows of sealed and protected metrics, should the check of the tree have missed one',
    edits: [edit(CHECK, 'if (isWithheld(egress)) return', 'if (false) return')],
    given: NO_CLASS,
    decides: ['policy/check.ts checkRows'],
  },
  {
    name: 'class-where-read',
    entry: 'quoted UTF-8 label',
    stops: 'samples of sealed and protected metrics from being read, should the border have missed one',
    edits: [NO_CLASS[2]!],
    given: NO_CLASS.slice(0, 2),
    decides: [],
  },
  {
    name: 'class-aggregate',
    entry: 'bare selector',
    stops: 'single series of aggregate metrics',
    edits: [edit(CHECK, "return { code: 'class_aggregate', name: kept.metric, node };", 'return undefined;')],
    decides: ['policy/check.ts class_aggregate'],
  },
  {
    name: 'operators',
    entry: 'count_values',
    stops: 'aggregations that the policy does not list',
    edits: [
      edit(
        CHECK,
        "return { code: 'operator_not_permitted', name: under.op, node: nodeOf(under) };",
        'return undefined;',
      ),
    ],
    decides: ['policy/check.ts operator_not_permitted'],
  },
  {
    name: 'exact-quantile',
    entry: 'topk and limitk of single series',
    stops: 'quantiles that are the value of a series',
    edits: [edit(CHECK, "return under.op !== 'quantile' || under === sketched;", 'return true;')],
    decides: [],
  },
  {
    name: 'sketch-error',
    entry: 'topk and limitk of single series',
    stops: 'sketches so fine that they are the values themselves',
    edits: [edit(CHECK, 'fragment.relativeError < SKETCH_ERROR_MIN', 'false')],
    decides: ['policy/check.ts limit'],
  },
  {
    name: 'scalar',
    entry: 'topk and limitk of single series',
    stops: 'scalars of single series as parameters',
    edits: [edit(CHECK, "parent.func === 'scalar' ? BARE", 'false ? BARE')],
    decides: [],
  },
  {
    name: 'names',
    entry: 'regex on __name__',
    stops: 'selectors that pick metrics without spelling them out',
    edits: [edit('policy/selected-metrics.ts', 'policy.rulesBelow(namePrefix(selector))', '[]')],
    decides: [],
  },
  {
    name: 'matchers',
    entry: 'quoted UTF-8 label',
    stops: 'matchers on labels that may not match',
    edits: [edit(CHECK, '!policy.permitsMatch(matcher.name)', 'false')],
    decides: ['policy/check.ts matcher_not_permitted', 'policy/check.ts checkMatchers'],
  },
  {
    name: 'info',
    entry: 'info()',
    stops: 'info(), which copies labels from series that are not named',
    edits: [edit(CHECK, "expr.kind === 'call' && expr.func === 'info'", 'false')],
    decides: ['policy/check.ts unsupported'],
  },
  {
    name: 'labels-grouped',
    entry: 'group by a restricted label',
    stops: 'groups by labels that may not leave',
    edits: [edit(CHECK, 'return aggregatedLabels(expr, place, seriesOf);', 'return [];')],
    decides: [],
  },
  {
    name: 'labels-without',
    entry: 'without',
    stops: 'labels that a nested without leaves over',
    edits: [edit(CHECK, 'return isRoot && node.without', 'return node.without')],
    decides: [],
  },
  {
    name: 'labels-picked',
    entry: 'topk and limitk of single series',
    stops: 'topk and its like over series with labels that may not leave',
    edits: [edit(CHECK, 'if (picksSeries(node))', 'if (false)')],
    decides: [],
  },
  {
    name: 'labels-written',
    entry: 'count_values',
    stops: 'count_values to a label that may not leave',
    edits: [edit(CARRIED, "return op === 'count_values' && param !== undefined", 'return false')],
    decides: [],
  },
  {
    name: 'labels-named',
    entry: 'label_replace inside an aggregation',
    stops: 'label_replace and its like, which read and write labels by name',
    edits: [edit(CHECK, 'return namedLabels(expr satisfies Call);', 'return [];')],
    decides: [],
  },
  {
    name: 'labels-matched',
    entry: 'group_left of a restricted label',
    stops: 'matches of vectors on labels that may not leave, and copies of such labels',
    edits: [edit(CHECK, 'return expr.matching === undefined', 'return true')],
    decides: [],
  },
  {
    name: 'labels-of-rows',
    entry: 'without',
    stops: 'rows with labels that may not leave',
    edits: [edit(CHECK, 'for (const name of labelNames(labels)) names.add(name);', '')],
    decides: ['policy/check.ts label_not_permitted'],
  },
  {
    name: 'tree-again',
    entry: 'a series that is stored while a request is worked on',
    stops: 'series that were stored between the check and the evaluation',
    edits: [edit('border/answer-fragment.ts', 'const after = hasLooked', 'const after = false')],
    decides: [],
  },
  {
    name: 'countable',
    entry: 'min_series: 1 in a fragment',
    stops: 'groups whose series cannot be counted, where the policy wants several',
    edits: [edit('border/prepare.ts', '?? checkCountable(fragment.expr, policy)', '')],
    decides: ['border/min-series.ts operator_not_permitted', 'border/min-series.ts checkCountable'],
  },
];
