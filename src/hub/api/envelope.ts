import type { FastifyInstance, FastifyReply } from 'fastify';
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
): FastifyReply {
  if (coverage !== undefined) reply.headers(coverageHeaders(coverage));
  const gap = coverage === undefined ? undefined : coverageWarning(coverage);
  const others = warnings.filter((warning) => warning !== gap);
  return sendData(reply, data, gap === undefined ? others : [gap, ...others, gap], infos);
}

/** Errors in Prometheus's envelope; one of an incomplete answer carries the coverage that says what is missing. */
export function prometheusErrors(app: FastifyInstance, onFault: (error: ComityError) => void): void {
  sendErrors(app, onFault, (error) =>
    error instanceof IncompleteError
      ? { data: { coverage: error.coverage }, headers: coverageHeaders(error.coverage) }
      : undefined,
  );
}
