import { TRUNCATED } from '../../api/query.ts';
import type { SeriesExemplars } from '../../model/batch.ts';
import { compareLabels } from '../../model/labels.ts';
import { decodeExemplarsAnswer, encodeExemplarsRequest } from '../../plan/frames/exemplars-codec.ts';
import type { VectorSelector } from '../../promql/ast.ts';
import type { Federation } from '../registry.ts';
import { askForList, assertOwn, selectiveWarning, type ListCaller, type ListResult } from './ask.ts';

/** A question for the exemplars of series between two times, in ms. */
export interface ExemplarsQuestion extends ListCaller {
  /** At least one. */
  readonly selectors: readonly VectorSelector[];
  readonly fromMs: number;
  readonly toMs: number;
}

/** The exemplars that any domain lets out, series in order, those of a series oldest first. */
export async function runExemplars(
  question: ExemplarsQuestion,
  federation: Federation,
): Promise<ListResult<SeriesExemplars>> {
  const { selectors, fromMs, toMs } = question;
  const asked = { selectors: selectors.map(({ matchers }) => matchers), fromMs, toMs };
  const { told, coverage } = await askForList(
    {
      endpoint: 'exemplars',
      selectors,
      range: { fromMs, toMs },
      body: (id, timeLeftMs) => encodeExemplarsRequest({ ...asked, id, timeLeftMs }),
      decode(bytes, id, domain) {
        const answer = decodeExemplarsAnswer(bytes, { id });
        if ('series' in answer)
          for (const { labels } of answer.series) assertOwn(labels, federation.domainLabel, domain);
        return answer;
      },
    },
    question,
    federation,
  );
  const values = told.flatMap(({ answer }) => answer.series).sort((a, b) => compareLabels(a.labels, b.labels));
  const isCut = told.some(({ answer }) => answer.isCut);
  const warnings = [selectiveWarning('exemplars', told), isCut ? TRUNCATED : undefined];
  return { values, coverage, warnings: warnings.filter((text) => text !== undefined) };
}
