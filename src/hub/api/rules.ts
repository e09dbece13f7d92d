import type { FastifyInstance } from 'fastify';
import { cutText, invalid, requestParams } from '../../api/params.ts';
import { selectorParams } from '../../api/selectors.ts';
import { sendSuccess } from './envelope.ts';

/**
 * GET /api/v1/rules and /api/v1/alerts: a hub evaluates no rules, so both lists are empty. Parameters are checked as Prometheus
 * checks them, so that a client's mistake shows before there are any.
 */
export function rulesApi(app: FastifyInstance): void {
  app.get('/api/v1/rules', (request, reply) => {
    checkRulesParams(requestParams(request));
    return sendSuccess(reply, '{"groups":[]}');
  });
  app.get('/api/v1/alerts', (_request, reply) => sendSuccess(reply, '{"alerts":[]}'));
}

function checkRulesParams(params: URLSearchParams): void {
  selectorParams(params.getAll('match[]'));
  const type = (params.get('type') ?? '').toLowerCase();
  if (!TYPES.has(type)) throw invalid('type', `not supported value ${JSON.stringify(cutText(type))}`);
  const exclude = params.get('exclude_alerts') ?? '';
  if (!BOOLEANS.has(exclude.toLowerCase())) {
    const problem = `parsing ${JSON.stringify(cutText(exclude.toLowerCase()))}: invalid syntax`;
    throw invalid('exclude_alerts', `error converting exclude_alerts: strconv.ParseBool: ${problem}`);
  }
  checkPage(params.get('group_limit') ?? '', params.get('group_next_token') ?? '');
}

function checkPage(limit: string, token: string): void {
  if (limit === '') {
    if (token === '') return;
    throw invalid('group_next_token', 'group_limit needs to be present in order to paginate over the groups');
  }
  if (!/^[+-]?\d{1,10}$/.test(limit) || Math.abs(Number(limit)) >= 2 ** 31) {
    throw invalid('group_limit', `group_limit needs to be a valid number: ${JSON.stringify(cutText(limit))}`);
  }
  if (Number(limit) <= 0) throw invalid('group_limit', 'group_limit needs to be greater than 0');
  if (token !== '') {
    throw invalid('group_next_token', `invalid group_next_token '${cutText(token)}'. were rule groups changed?`);
  }
}

const TYPES: ReadonlySet<string> = new Set(['', 'alert', 'record']);

/** What Go reads as a truth value, in lower case; empty says nothing. */
const BOOLEANS: ReadonlySet<string> = new Set(['', '1', 't', 'true', '0', 'f', 'false']);
