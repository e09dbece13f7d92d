import { ComityError } from '../base/errors.ts';
import { labelValue, METRIC_NAME, type Labels } from '../model/labels.ts';
import type { Source } from '../model/source.ts';
import type { Policy } from '../policy/document.ts';
import { isWithheld } from '../policy/egress-class.ts';

/** Whether a series is of a sealed metric, asked once a name. */
function sealedTest(policy: Policy): (labels: Labels) => boolean {
  const sealedNames = new Map<string, boolean>();
  return (labels) => {
    const name = labelValue(labels, METRIC_NAME);
    let sealed = sealedNames.get(name);
    if (sealed === undefined) {
      sealed = isWithheld(policy.classOf(name));
      sealedNames.set(name, sealed);
    }
    return sealed;
  };
}

/**
 * The border's second lock, where the samples are: should the check of a fragment ever miss a sealed metric, or one be stored
 * between the check and the evaluation, its samples are not read all the same.
 */
export function guarded(source: Source, policy: Policy): Source {
  const isSealed = sealedTest(policy);
  return {
    series: (matchers, fromMs, toMs) => source.series(matchers, fromMs, toMs),
    *select(matchers, fromMs, toMs) {
      for (const series of source.select(matchers, fromMs, toMs)) {
        if (isSealed(series.labels)) throw new ComityError('refused', 'a sealed metric was selected');
        yield series;
      }
    },
  };
}
