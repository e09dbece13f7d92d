/** Why a question was refused, for people who do not ask questions themselves; by the code of the refusal. */
export const REASON_WORDS: Readonly<Record<string, string>> = {
  class_sealed: 'The metric is sealed: nothing of it leaves',
  class_protected: 'The metric is about people and is kept inside for now',
  class_aggregate: 'Single series were asked for where only aggregates may leave',
  operator_not_permitted: 'The way of adding up is not permitted for the metric',
  label_not_permitted: 'A label was asked for that may not leave',
  matcher_not_permitted: 'A selection by a label that may not be selected by',
  policy_denied: 'No valid policy was in force, so nothing may leave',
  budget: 'The budget of bytes for the day was used up',
  vetoed: 'The domain’s own veto refused it',
  limit: 'It passed a limit on size',
  timeout: 'It ran out of time',
  unsupported: 'The agent does not offer what was asked for',
  undecided: 'It could not be told without showing single series',
  execution: 'It could not be computed',
  source_unavailable: 'The domain’s own server did not answer',
};

/** The kinds of messages that leave a domain. */
export const WHAT_WORDS: Readonly<Record<string, string>> = {
  query: 'Answers to queries',
  explain: 'Answers on what a query would be allowed',
  labels: 'Lists of label names and values',
  series: 'Lists of series',
  metadata: 'Descriptions of metrics',
  exemplars: 'Exemplars',
  status: 'Heartbeats',
  error: 'Errors',
};
