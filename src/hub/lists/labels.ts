import { TRUNCATED } from '../../api/query.ts';
import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { decodeLabelsAnswer, encodeLabelsRequest } from '../../plan/frames/labels-codec.ts';
import type { VectorSelector } from '../../promql/ast.ts';
import type { Federation } from '../registry.ts';
import { askForList, type ListCaller, type ListResult } from './ask.ts';

/** A question for label names (`name` empty) or the values of one label. */
export interface LabelsQuestion extends ListCaller {
  readonly name: string;
  /** None asks about every series. */
  readonly selectors: readonly VectorSelector[];
  readonly fromMs: number;
  readonly toMs: number;
  /** 0 for the most that is allowed. */
  readonly limit: number;
}

/** What any domain permits of its label names or of the values of one label, sorted. */
export async function runLabels(question: LabelsQuestion, federation: Federation): Promise<ListResult<string>> {
  const { name, selectors, fromMs, toMs } = question;
  const limit = Math.min(question.limit || LIMITS.labelValues, LIMITS.labelValues);
  // One more than wanted shows that there are more.
  const asked = { name, selectors: selectors.map(({ matchers }) => matchers), fromMs, toMs, limit: limit + 1 };
  const { told, coverage } = await askForList(
    {
      endpoint: 'labels',
      selectors,
      range: { fromMs, toMs },
      body: (id) => encodeLabelsRequest({ ...asked, id }),
      decode(bytes, id, domain) {
        const answer = decodeLabelsAnswer(bytes, { ...asked, id });
        if (name === federation.domainLabel && 'values' in answer && answer.values.some((value) => value !== domain)) {
          throw new ComityError('bad_data', 'it told of series of another domain');
        }
        return answer;
      },
    },
    question,
    federation,
  );
  const lists = told.map(({ answer }) => answer.values);
  const values = [...new Set(lists.flat())].sort();
  // A domain stops at the most that is allowed, so a list of that length may have been cut there.
  const isCut = values.length > limit || lists.some((list) => list.length >= LIMITS.labelValues);
  return { values: values.slice(0, limit), coverage, warnings: isCut ? [TRUNCATED] : [] };
}
