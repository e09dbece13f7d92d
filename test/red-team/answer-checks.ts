import type { Edit } from '../../src/federationtest/plant-edits.ts';
import { edit, type Check } from './check.ts';

const CHECK = 'policy/check.ts';
const LIMITS = 'border/answer-limits.ts';

/** A fault: an agent with one more route, whose answer the border has not made. */
const raw = (answer: string): Edit =>
  edit(
    'agent/answer.ts',
    "app.post('/federation/v1/ledger',",
    `app.get('/federation/v1/raw', async () => ${answer});\n  app.post('/federation/v1/ledger',`,
  );
const RAW = "Buffer.from('a text with zqkanari in it')";

/** Of who asks, in what form, how much leaves, and what is said beside it. */
export const ANSWER_CHECKS: readonly Check[] = [
  {
    name: 'token',
    entry: 'invented consumers',
    stops: 'whoever shows no token of a consumer',
    edits: [edit('agent/bearer.ts', 'if (timingSafeEqual(expected, shown)) found = value;', 'found = value;')],
    decides: [],
  },
  {
    name: 'released-at-send',
    entry: 'series, labels, exemplars, federate and remote-read routes',
    stops: 'a reply in bytes that the border did not make',
    edits: [
      edit(
        'agent/answer.ts',
        'if (kind === undefined || !(payload instanceof Buffer)) {',
        'if (!(payload instanceof Buffer)) {',
      ),
    ],
    given: [raw(RAW)],
    decides: [],
  },
  {
    name: 'released-registry',
    entry: 'series, labels, exemplars, federate and remote-read routes',
    stops: 'an object that is only cast to what the border makes',
    edits: [
      edit(
        'border/released.ts',
        'if (bytes === undefined) throw',
        'if (bytes === undefined) return value as never;\n  if (bytes === undefined) throw',
      ),
    ],
    given: [raw(`({ kind: 'query', byteLength: 1, bytes: ${RAW} })`)],
    decides: [],
  },
  {
    name: 'version',
    entry: 'error texts',
    stops: 'messages of other versions of the protocol',
    edits: [edit('plan/frames/version.ts', 'if (version === FEDERATION_VERSION) return;', 'return;')],
    decides: [],
  },
  {
    name: 'unknown-field',
    entry: 'error texts',
    stops: 'requests with a field that this version does not know',
    edits: [edit('plan/frames/version.ts', 'if (field !== undefined) throw', 'if (false) throw')],
    decides: [],
  },
  {
    name: 'unknown-fragment-field',
    entry: 'min_series: 1 in a fragment',
    stops: 'fragments with a field that this version does not know, such as a min_series of their own',
    edits: [edit('plan/frames/fragment-codec.ts', 'if (field !== undefined) return unread(field);', '')],
    decides: [],
  },
  {
    name: 'in-force',
    entry: 'no policy in force',
    stops: 'everything, where no policy is in force',
    edits: [edit(CHECK, 'return deniesAll === undefined', 'return true')],
    decides: ['policy/check.ts policy_denied', 'policy/check.ts checkInForce'],
  },
  {
    name: 'status-denied',
    entry: 'no policy in force',
    stops: 'what a domain says of its streams, where no policy is in force',
    edits: [edit('border/released-status.ts', 'if (policy.deniesAll === undefined) return', 'return')],
    decides: [],
  },
  {
    name: 'small-groups',
    entry: 'min_series: 1 in a fragment',
    stops: 'groups of fewer series than the policy wants',
    edits: [edit('border/min-series.ts', 'if (guarded.length === 0) return fragment;', 'return fragment;')],
    decides: [],
  },
  {
    name: 'small-groups-of-states',
    entry: 'min_series: 1 in a fragment',
    stops: 'states of groups of fewer series than the policy wants',
    edits: [edit('border/answer-fragment.ts', 'rows = masked.rows;', '')],
    decides: [],
  },
  {
    name: 'label-values',
    entry: 'as much as one can get',
    stops: 'more values of a label than one has that is public by its name',
    edits: [edit('border/answer-fragment.ts', '?? checkValues(rows, policy)', '')],
    decides: ['border/answer-limits.ts checkValues', 'border/answer-limits.ts limit'],
  },
  {
    name: 'answer-rows',
    entry: 'as much as one can get',
    stops: 'more rows than the policy lets out at once',
    edits: [edit(LIMITS, 'return rows > limits.answerRows', 'return false')],
    decides: ['border/answer-limits.ts checkRowCount'],
  },
  {
    name: 'answer-bytes',
    entry: 'as much as one can get',
    stops: 'more bytes than the policy lets out at once',
    edits: [edit(LIMITS, 'if (bytes > policy.limits.answerBytes)', 'if (false)')],
    decides: ['border/answer-limits.ts checkByteCount'],
  },
  {
    name: 'budget',
    entry: 'as much as one can get',
    stops: 'more bytes than the policy lets out in a day',
    edits: [
      edit('border/budget.ts', 'return bytesLeft(policy, recorder) > 0', 'return true'),
      edit(LIMITS, 'return bytes > bytesLeft(policy, recorder)', 'return false'),
    ],
    decides: ['border/budget.ts budget', 'border/budget.ts checkBudget'],
  },
  {
    name: 'estimate',
    entry: 'as much as one can get',
    stops: 'work that is bound to pass a limit',
    edits: [edit('border/estimate.ts', 'if (!isKnown) return undefined;', 'return undefined;')],
    decides: ['border/estimate.ts limit'],
  },
  {
    name: 'veto',
    entry: 'OPA undefined or slow',
    stops: 'what somebody of the domain vetoes',
    edits: [
      edit(
        'border/veto.ts',
        'return (await veto({ ...request, fragments: selected.map(vetoFragment) }, signal)) === true;',
        'return true;',
      ),
    ],
    decides: ['border/prepare.ts vetoed', 'border/release-lists.ts vetoed'],
  },
  {
    name: 'note-details',
    entry: 'what is written down',
    stops: 'numbers of single series in notes on an answer',
    edits: [
      edit(
        'border/release-notes.ts',
        'detail !== undefined && isPlaced && (await leaves(node))',
        'detail !== undefined',
      ),
    ],
    decides: [],
  },
  {
    name: 'notes-inside',
    entry: 'min_series: 1 in a fragment',
    stops: 'notes on groups of fewer series than the policy wants',
    edits: [edit('border/answer-fragment.ts', 'if (guarded.length === 0) return notes;', 'return notes;')],
    decides: [],
  },
  {
    name: 'coverage',
    entry: 'coverage, heartbeats and explain as presence oracles',
    stops: 'counts of the streams behind a metric of which nothing leaves, or no small groups',
    edits: [edit('border/release-coverage.ts', 'isCounted(read, policy) ? read', 'true ? read')],
    decides: [],
  },
  {
    name: 'explain-counts',
    entry: 'coverage, heartbeats and explain as presence oracles',
    stops: 'numbers of series that no count would give',
    edits: [
      edit(
        'border/explain-fragment.ts',
        'const guarded = guardedGroups(count.expr, policy);',
        'const guarded: never[] = [];',
      ),
    ],
    decides: [],
  },
  {
    name: 'error-words',
    entry: 'error texts',
    stops: 'the words of an error, which may tell of the data',
    edits: [
      edit(
        'border/prepare.ts',
        "return { code: error.code, name: '' };",
        'return { code: error.code, name: error.message };',
      ),
    ],
    decides: [
      'border/prepare.ts class_sealed',
      'border/prepare.ts source_unavailable',
      'border/lists.ts source_unavailable',
    ],
  },
  {
    name: 'receipt',
    entry: 'what is written down',
    stops: 'answers of which nothing is written down',
    edits: [edit('border/seal-recorded.ts', 'encodeReleased(answer, receipt)', 'encodeReleased(answer, undefined)')],
    decides: [],
  },
  {
    name: 'same-policy',
    entry: 'a policy that changes while a query is worked on',
    stops: 'answers by a policy that is in force no more',
    edits: [
      edit(
        'border/seal-recorded.ts',
        'if (decided.digest === now.digest',
        'return;\n  if (decided.digest === now.digest',
      ),
    ],
    decides: [],
  },
];
