import { edit, type Check } from './check.ts';

const WHOLE = 'policy/whole-series.ts';
const LISTS = 'border/lists.ts';
const LIMITS = 'border/answer-limits.ts';

/** Of lists: labels, series, families, exemplars. */
export const LIST_CHECKS: readonly Check[] = [
  {
    name: 'listed-label-values',
    entry: 'as much as one can get',
    stops: 'lists of more values of such a label',
    edits: [edit(LIMITS, 'return isCapped(name, policy) &&', 'return false &&')],
    decides: ['border/answer-limits.ts checkListedValues'],
  },
  {
    name: 'list-label',
    entry: 'label, series, exemplar and metadata lists',
    stops: 'values of labels that may not leave',
    edits: [edit(LISTS, "name !== '' && !policy.permitsLabel(name)", 'false')],
    decides: ['border/lists.ts label_not_permitted', 'border/lists.ts checkLabelsQuery'],
  },
  {
    name: 'list-label-names',
    entry: 'label, series, exemplar and metadata lists',
    stops: 'names of labels that may not leave',
    edits: [edit(LISTS, 'found.filter((one) => policy.permitsLabel(one))', 'found')],
    given: [
      edit(
        'shard/local-shard.ts',
        'const permits = (label: string): boolean => policy === undefined ||',
        'const permits = (label: string): boolean => true ||',
      ),
    ],
    decides: [],
  },
  {
    name: 'list-selectors',
    entry: 'label, series, exemplar and metadata lists',
    stops: 'lists of what restricted labels pick',
    edits: [edit(LISTS, 'selectors.map((matchers) => checkMatchers(matchers, policy))', '[undefined]')],
    decides: ['border/lists.ts checkSelectors'],
  },
  {
    name: 'list-class',
    entry: 'label, series, exemplar and metadata lists',
    stops: 'lists of series that a selector spells out and that are not open',
    edits: [edit(WHOLE, "if (metric === '' || rule.class === 'open') continue;", 'continue;')],
    decides: [
      'policy/whole-series.ts class_aggregate',
      'policy/whole-series.ts checkSpeltOut',
      'border/lists.ts checkSeriesQuery',
    ],
  },
  {
    name: 'list-open',
    entry: 'label, series, exemplar and metadata lists',
    stops: 'lists of series that are not open',
    edits: [edit(WHOLE, "isOpen = policy.classOf(name) === 'open'", 'isOpen = true')],
    decides: [],
  },
  {
    name: 'list-labels',
    entry: 'label, series, exemplar and metadata lists',
    stops: 'lists of series with labels that may not leave',
    edits: [edit(WHOLE, 'if (!permits(labels[i]!)) return false;', '')],
    decides: [],
  },
  {
    name: 'list-exemplar-labels',
    entry: 'label, series, exemplar and metadata lists',
    stops: 'exemplars with labels that may not leave',
    edits: [edit(WHOLE, 'exemplars.filter((one) => permits(one.labels))', '[...exemplars]')],
    decides: [],
  },
  {
    name: 'list-families',
    entry: 'label, series, exemplar and metadata lists',
    stops: 'metadata of metrics of which nothing leaves',
    edits: [edit(WHOLE, '!isWithheld(policy.classOf(metric + suffix))', 'true')],
    decides: [],
  },
  {
    name: 'list-series-again',
    entry: 'label, series, exemplar and metadata lists',
    stops: 'series that whoever reads them should have kept back',
    edits: [edit(LISTS, 'found.filter(wholeSeriesTest(policy))', 'found')],
    given: [
      edit(
        'shard/local-shard.ts',
        'question.releases ? wholeSeriesTest(policyForRelease()) : () => true',
        '() => true',
      ),
    ],
    decides: [],
  },
  {
    name: 'list-families-again',
    entry: 'label, series, exemplar and metadata lists',
    stops: 'metadata that whoever reads it should have kept back',
    edits: [edit(LISTS, 'found.filter(familyTest(policy))', 'found')],
    given: [edit('shard/local-shard.ts', 'releases ? all.filter(familyTest(policyForRelease())) : all', 'all')],
    decides: [],
  },
  {
    name: 'list-exemplars-again',
    entry: 'label, series, exemplar and metadata lists',
    stops: 'exemplars that whoever reads them should have kept back',
    edits: [edit(LISTS, 'found.flatMap((series) => mayLeave(series) ?? [])', '[...found]')],
    given: [
      edit('shard/local-shard.ts', 'question.releases ? exemplarsOf(policyForRelease()) :', 'false ? undefined :'),
    ],
    decides: [],
  },
];
