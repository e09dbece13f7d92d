import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { sendData, sendErrors } from '../../api/envelope.ts';
import type { ComityError } from '../../base/errors.ts';
import { coverageHeaders, coverageWarning, type Coverage } from '../../coverage/coverage.ts';
import { IncompleteError } from '../query.ts';

/**
 * Sends `{"status":"success","data":…}`; `data` is JSON text. What the coverage lacks is told as the first and as the
 * last warning: Grafana's panel header shows only the last, other clients only the first.
 */
export function sendSuccess(
  reply: FastifyReply,
  data: string,
  coverage?: Coverage,
  warnings: readonly string[] = [],
  infos: readonly string[] = [],
  beside: Readonly<Record<string, string>> = {},
): FastifyReply {
  if (coverage !== undefined) reply.headers(coverageHeaders(coverage));
  const gap = coverage === undefined ? undefined : coverageWarning(coverage);
  const others = warnings.filter((warning) => warning !== gap);
  return sendData(reply, data, gap === undefined ? others : aroundOthers(gap, others), infos, beside);
}

function aroundOthers(gap: string, others: readonly string[]): readonly string[] {
  return others.length === 0 ? [gap] : [gap, ...others, gap];
}

/** Sends a list, which is an array or a map of the caller's, so that its coverage stands beside `data`. */
export function sendList(
  reply: FastifyReply,
  data: string,
  coverage: Coverage,
  warnings: readonly string[],
): FastifyReply {
  return sendSuccess(reply, data, coverage, warnings, [], { coverage: JSON.stringify(coverage) });
}

/** Errors in Prometheus's envelope; one of an incomplete answer carries the coverage that says what is missing. */
export function prometheusErrors(
  app: FastifyInstance,
  onFault: (error: ComityError, request: FastifyRequest) => void,
): void {
  sendErrors(app, onFault, (error) =>
    error instanceof IncompleteError
      ? { data: { coverage: error.coverage }, headers: coverageHeaders(error.coverage) }
      : undefined,
  );
}
