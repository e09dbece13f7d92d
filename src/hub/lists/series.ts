import { TRUNCATED } from '../../api/query.ts';
import { LIMITS } from '../../base/limits.ts';
import { compareLabels, labelsKey, type Labels } from '../../model/labels.ts';
import { decodeSeriesAnswer, encodeSeriesRequest } from '../../plan/frames/series-codec.ts';
import type { VectorSelector } from '../../promql/ast.ts';
import type { Federation } from '../registry.ts';
import { askForList, assertOwn, selectiveWarning, type ListCaller, type ListResult } from './ask.ts';

/** Which series there are between two times, in ms. */
export interface SeriesQuestion extends ListCaller {
  /** At least one. */
  readonly selectors: readonly VectorSelector[];
  readonly fromMs: number;
  readonly toMs: number;
  /** 0 for the most that is allowed. */
  readonly limit: number;
}

/** The series that any domain lets out as they are, each once, in order. */
export async function runSeries(question: SeriesQuestion, federation: Federation): Promise<ListResult<Labels>> {
  const { selectors, fromMs, toMs } = question;
  const limit = Math.min(question.limit || LIMITS.rowsPerAnswer, LIMITS.rowsPerAnswer);
  const asked = { selectors: selectors.map(({ matchers }) => matchers), fromMs, toMs, limit };
  const { told, coverage } = await askForList(
    {
      endpoint: 'series',
      selectors,
      range: { fromMs, toMs },
      body: (id, timeLeftMs) => encodeSeriesRequest({ ...asked, id, timeLeftMs }),
      decode(bytes, id, domain) {
        const answer = decodeSeriesAnswer(bytes, { limit, id });
        if ('series' in answer) for (const labels of answer.series) assertOwn(labels, federation.domainLabel, domain);
        return answer;
      },
    },
    question,
    federation,
  );
  // The domain label tells the series of domains apart, so that only what one domain says twice is here twice.
  const found = new Map<string, Labels>();
  for (const { answer } of told) for (const labels of answer.series) found.set(labelsKey(labels), labels);
  const all = [...found.values()].sort(compareLabels);
  const isCut = all.length > limit || told.some(({ answer }) => answer.isCut);
  const warnings = [selectiveWarning('series', told), isCut ? TRUNCATED : undefined];
  return { values: all.slice(0, limit), coverage, warnings: warnings.filter((text) => text !== undefined) };
}
