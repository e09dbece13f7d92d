import type { FastifyReply, FastifyRequest } from 'fastify';
import { switchParam } from '../../api/params.ts';
import { whileConnected } from '../../api/while-connected.ts';
import { traceOf } from '../trace.ts';

/** Who asks something of the federation. */
interface Caller {
  /** Aborts when the client hangs up. */
  readonly signal: AbortSignal;
  /** W3C traceparent: the client's, or one of its own. */
  readonly trace: string;
  /** Whether a part of the answer will do: not for alerting, nor where the request says so. */
  readonly allowPartial: boolean;
}

export function callerOf(request: FastifyRequest, reply: FastifyReply, params: URLSearchParams): Caller {
  return {
    signal: whileConnected(reply),
    trace: traceOf(request),
    allowPartial: switchParam(params, 'partial_response') && request.headers['fromalert'] !== 'true',
  };
}
