import { randomBytes } from 'node:crypto';
import { Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { zstdDecompressSync } from 'node:zlib';
import { instantGrid, type QueryGrid } from '../../src/model/grid.ts';
import { ALL_FEATURES } from '../../src/promql/features.ts';
import { parseExpr } from '../../src/promql/parse.ts';
import type { Fragment } from '../../src/plan/distribute.ts';
import { normalise } from '../../src/plan/normalise.ts';
import { NOTHING_KNOWN, type CoverageQuestion, type CoverageRuns } from '../../src/plan/frames/coverage-codec.ts';
import { decodeExemplarsAnswer, encodeExemplarsRequest } from '../../src/plan/frames/exemplars-codec.ts';
import { decodeExplainAnswer, type Verdict } from '../../src/plan/frames/explain-codec.ts';
import { decodeLabelsAnswer, encodeLabelsRequest } from '../../src/plan/frames/labels-codec.ts';
import { decodeMetadataAnswer, encodeMetadataRequest } from '../../src/plan/frames/metadata-codec.ts';
import { decodeQueryAnswer, encodeQueryRequest, type FragmentAnswer } from '../../src/plan/frames/query-codec.ts';
import { decodeReleased } from '../../src/plan/frames/receipt-codec.ts';
import { decodeSeriesAnswer, encodeSeriesRequest } from '../../src/plan/frames/series-codec.ts';
import {
  decodeErrorAnswer,
  decodeStatusAnswer,
  encodeStatusRequest,
  type DomainStatus,
} from '../../src/plan/frames/status-codec.ts';
import type { Crossings } from './crossings.ts';

/** An HTTP answer: what crossed the border. */
export interface Reply {
  readonly status: number;
  /** Names and values in turn, as they came. */
  readonly headers: readonly string[];
  /** Decompressed. */
  readonly body: Buffer;
}

/** A hub in bad faith with a valid token, which asks an agent whatever it likes. What it is told goes to the crossings. */
export interface HostileHub {
  readonly url: string;
  readonly token: string;
  /** Any request; a POST with a body, a GET without. `headers` come on top of the token's and the type's. */
  send(path: string, body?: Uint8Array, headers?: Readonly<Record<string, string>>): Promise<Reply>;
  /** What each fragment was answered; throws `Denied` where the request was not answered at all. */
  ask(fragments: readonly Fragment[]): Promise<readonly FragmentAnswer[]>;
  /** As `ask`, for a request that somebody else made of these fragments; undefined where the answer is to other fragments. */
  askBytes(request: Uint8Array): Promise<Buffer>;
  explain(fragments: readonly Fragment[]): Promise<readonly Verdict[]>;
  coverage(questions: readonly CoverageQuestion[]): Promise<readonly CoverageRuns[]>;
  list(kind: ListKind, what: ListAsk): Promise<object>;
  status(): Promise<DomainStatus>;
}

export type ListKind = 'labels' | 'series' | 'metadata' | 'exemplars';

export interface ListAsk {
  /** Of labels: whose values; empty for names. Of metadata: the metric. */
  readonly name?: string;
  /** PromQL selectors. */
  readonly selectors?: readonly string[];
}

/** An answer that is none: its status and the code in it. */
export class Denied extends Error {
  readonly code: string;
  readonly status: number;

  constructor(status: number, code: string) {
    super(`${status} ${code}`);
    this.status = status;
    this.code = code;
  }
}

const TYPE = 'application/x-protobuf';
/** Around everything that the world holds. */
const LIST_MS = 3_600_000;
const ANSWER_MS = 30_000;
const LIST_LIMIT = 1_000;

export function hostileHub(agentUrl: string, token: string, crossings: Crossings): HostileHub {
  const agent = new HttpAgent({ keepAlive: true, maxSockets: 4 });

  async function send(path: string, body?: Uint8Array, headers: Readonly<Record<string, string>> = {}): Promise<Reply> {
    const url = `${agentUrl}${path}`;
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const own = { authorization: `Bearer ${token}`, 'content-type': TYPE, 'accept-encoding': 'zstd', ...headers };
      httpRequest(url, { agent, method: body === undefined ? 'GET' : 'POST', headers: own }, resolve)
        .on('error', reject)
        .end(body);
    });
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const sent = Buffer.concat(chunks);
    crossings.crossed(`the agent's answer to ${path}`, sent);
    crossings.crossed(`headers of the answer to ${path}`, Buffer.from(response.rawHeaders.join('\n')));
    const plain = response.headers['content-encoding'] === 'zstd' ? zstdDecompressSync(sent) : sent;
    return { status: response.statusCode ?? 0, headers: response.rawHeaders, body: plain };
  }

  async function released(path: string, body: Uint8Array): Promise<Buffer> {
    const reply = await send(`/federation/v1/${path}`, body);
    if (reply.status !== 200) throw new Denied(reply.status, errorCode(reply));
    const { answer, receipt } = decodeReleased(reply.body);
    if (receipt !== undefined) crossings.crossed(`the leaf of an answer to ${path}`, receipt.leaf);
    return Buffer.from(answer);
  }

  const queryRequest = (fragments: readonly Fragment[], coverage: readonly CoverageQuestion[] = []) => {
    const id = randomBytes(8);
    const beside = { lookbackMs: 300_000, timeLeftMs: ANSWER_MS, features: ALL_FEATURES, since: NOTHING_KNOWN };
    return { id, coverage, request: encodeQueryRequest({ ...beside, fragments, coverage, id }) };
  };

  return {
    url: agentUrl,
    token,
    send,
    async ask(fragments) {
      const { id, coverage, request } = queryRequest(fragments);
      const answer = await released('query', request);
      return decodeQueryAnswer(answer, { fragments, coverage, id }).fragments;
    },
    askBytes: (request) => released('query', request),
    async explain(fragments) {
      const { id, request } = queryRequest(fragments);
      return decodeExplainAnswer(await released('explain', request), { fragments, id }).verdicts;
    },
    async coverage(questions) {
      const { id, coverage, request } = queryRequest([], questions);
      return decodeQueryAnswer(await released('query', request), { fragments: [], coverage, id }).coverage;
    },
    async list(kind, { name = '', selectors: texts = [] }) {
      const id = randomBytes(8);
      const now = Date.now();
      const selectors = texts.map(selectorOf);
      const times = { fromMs: now - LIST_MS, toMs: now + LIST_MS, timeLeftMs: ANSWER_MS, limit: LIST_LIMIT, id };
      switch (kind) {
        case 'labels': {
          const asked = { ...times, name, selectors };
          return decodeLabelsAnswer(await released(kind, encodeLabelsRequest(asked)), asked);
        }
        case 'series': {
          const asked = { ...times, selectors };
          return decodeSeriesAnswer(await released(kind, encodeSeriesRequest(asked)), asked);
        }
        case 'metadata': {
          const asked = { ...times, metric: name };
          return decodeMetadataAnswer(await released(kind, encodeMetadataRequest(asked)), asked);
        }
        default: {
          const asked = { ...times, selectors };
          return decodeExemplarsAnswer(await released(kind, encodeExemplarsRequest(asked)), asked);
        }
      }
    },
    async status() {
      const id = randomBytes(8);
      return decodeStatusAnswer(await released('status', encodeStatusRequest(id)), { id }).status;
    },
  };
}

/** What an ErrorAnswer says; the empty code for what is none. */
export function errorCode({ body }: Reply): string {
  try {
    return decodeErrorAnswer(body).code;
  } catch {
    return '';
  }
}

/** A query as one fragment, whatever a hub in good faith would do with it: `text`, `partial …`, `timed …`, `sketch <error> …`. */
export function fragmentOf(asked: string, grid: QueryGrid): Fragment {
  const [, answer = 'vector', error, text] = /^(?:(partial|timed|sketch) (?:([0-9.e-]+) )?)?(.*)$/s.exec(asked)!;
  const expr = normalise(parseExpr(text!, ALL_FEATURES), grid);
  // It may be no fragment that there is; whoever reads it finds out.
  return { answer, expr, grid, relativeError: Number(error) } as unknown as Fragment;
}

export const atOnce = (timeMs: number): QueryGrid => instantGrid(timeMs);

function selectorOf(text: string) {
  const expr = parseExpr(text, ALL_FEATURES);
  if (expr.kind !== 'vector') throw new Error(`${text} is no selector`);
  return expr.matchers;
}
