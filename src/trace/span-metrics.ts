import type { ExportTraceServiceRequest } from '../wire/otlp/messages.ts';
import type { TranslateOptions, Translation } from '../wire/otlp/translation.ts';
import { spanGroups, type SpanGroups } from './span-groups.ts';
import { addSpan, spanIntake, spanResource, spanTranslation } from './span-intake.ts';
import type { SpanSurvey } from './span-survey.ts';

/**
 * Request rate, errors and duration from spans, with Tempo's names: `traces_spanmetrics_calls_total` and the classic
 * histogram `traces_spanmetrics_latency` in seconds, by `service`, `job`, `span_name`, `span_kind` and `status_code`.
 * Every series has one row of mode ADD, whatever the number of its spans. A span without a service, or that ends before
 * it starts, is rejected.
 */
export function spanMetrics(
  request: ExportTraceServiceRequest,
  options: TranslateOptions,
  nowMs: number,
  groups: SpanGroups = spanGroups(options),
  survey?: SpanSurvey,
): Translation {
  const intake = spanIntake(options, groups);
  for (const part of request.resourceSpans) {
    const resource = spanResource(part.resource, options);
    if (survey?.isDue(nowMs) === true) survey.resource(part.resource);
    for (const scope of part.scopeSpans) {
      if (survey?.isDue(nowMs) === true) survey.scope(scope.scope);
      for (const span of scope.spans) {
        if (survey?.isDue(nowMs) === true) survey.span(span);
        addSpan(intake, resource, span);
      }
    }
  }
  return spanTranslation(intake, nowMs);
}
