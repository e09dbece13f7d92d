import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import { ComityError, toComityError } from '../base/errors.ts';
import { shareRegexMeter, startRegexMeter, type RegexMeter } from '../model/matcher.ts';
import { children, type Expr } from '../promql/ast.ts';
import { buffersOf, packRows, unpackRows, type PackedRows } from './gather.ts';
import { lanes, type Lane } from './lanes.ts';
import { localAsker } from './local-asker.ts';
import type { QuickAnswers } from './local-shard.ts';
import type { Answered, Asker, FragmentQuestion } from './questions.ts';
import type { FragmentRows } from './run.ts';
import type { ShardAnswer, ShardFragment, ShardQuery, ShardReader, Spent } from './shard.ts';
import { errorFrom, type ErrorData } from './worker-protocol.ts';

/** What is asked over a port, by name: a shard answers all of it, a query worker what an asker does. */
type Methods = ShardReader & Asker;

interface Request {
  readonly id: number;
  readonly method: keyof Methods;
  readonly question: unknown;
}

type Reply = { readonly id: number; readonly value: unknown } | { readonly id: number; readonly error: ErrorData };

/** A value as it is sent, and what of it is handed over. */
interface Sent {
  readonly value: unknown;
  readonly transfer: readonly ArrayBuffer[];
}

type Handlers = { readonly [M in keyof Methods]?: (question: never) => Promise<Sent> };

/**
 * Answers at a port for a shard: as a reader for others, and as an asker where the shard is the only one. `inTurn` are those
 * of the shard's thread.
 */
export function serveShard(port: MessagePort, shard: ShardReader, turn?: () => void, inTurn = lanes()): void {
  const handlers: Handlers = {
    ...askerHandlers(localAsker([shard], turn)),
    run: async (query: ShardQuery) => {
      const { answer, regexWork } = await metered(query, query.releases ? query.fragments : [], () => shard.run(query));
      const fragments = answer.fragments.map(packRows);
      return {
        value: { fragments, notes: answer.notes, spent: { ...answer.spent, regexWork } } satisfies PackedAnswer,
        transfer: fragments.flatMap(buffersOf),
      };
    },
    series: async (question: never) => copied(await shard.series(question)),
    labels: async (question: never) => copied(await shard.labels(question)),
    kinds: async (question: never) => copied(await shard.kinds(question)),
    estimate: async (question: never) => copied(await shard.estimate(question)),
    producers: async (question: never) => copied(await shard.producers(question)),
    exemplars: async (question: never) => copied(await shard.exemplars(question)),
    metadata: async (question: never) => copied(await shard.metadata(question)),
  };
  serve(port, handlers, (method, question, answer) => inTurn.run(laneOf(method, question), answer));
}

/** What is only looked up in an index takes as little as a light query. */
function laneOf(method: keyof Methods, question: unknown): Lane {
  const { releases = true, isLight = false } = (question ?? {}) as Partial<ShardQuery>;
  switch (method) {
    case 'answer':
      return 'own';
    case 'run':
    case 'fragment':
      if (!releases) return 'own';
      return isLight ? 'light' : 'heavy';
    default:
      return 'light';
  }
}

/** Answers quick questions at a port. The returned function answers what has come there, in the middle of a query. */
export function serveQuick(port: MessagePort, quick: QuickAnswers): () => void {
  const answers: Readonly<Record<string, (question: never) => unknown>> = { ...quick };
  const answer = ({ id, method, question }: Request): void => {
    let reply: Reply;
    try {
      reply = { id, value: answers[method]!(question as never) };
    } catch (error) {
      reply = { id, error: errorData(error) };
    }
    port.postMessage(reply);
  };
  port.on('message', answer);
  port.unref();
  return () => {
    for (let taken; (taken = receiveMessageOnPort(port)) !== undefined;) answer(taken.message as Request);
  };
}

/** Answers at a port for an asker. */
export function serveAsker(port: MessagePort, asker: Asker): void {
  serve(port, askerHandlers(asker));
}

/** The shard that answers at the other end of a port. */
export function remoteShard(port: MessagePort): ShardReader & { close(): void } {
  const { call, close } = caller(port);
  return {
    async run(query) {
      const { fragments, ...beside } = (await call('run', query)) as PackedAnswer;
      return { fragments: fragments.map(unpackRows), ...beside } satisfies ShardAnswer;
    },
    series: (question) => call('series', question) as ReturnType<ShardReader['series']>,
    labels: (question) => call('labels', question) as ReturnType<ShardReader['labels']>,
    kinds: (question) => call('kinds', question) as ReturnType<ShardReader['kinds']>,
    estimate: (question) => call('estimate', question) as ReturnType<ShardReader['estimate']>,
    producers: (question) => call('producers', question) as ReturnType<ShardReader['producers']>,
    exemplars: (question) => call('exemplars', question) as ReturnType<ShardReader['exemplars']>,
    metadata: (question) => call('metadata', question) as ReturnType<ShardReader['metadata']>,
    close,
  };
}

/** What answers at the other end of a port that `serveQuick` serves. */
export function remoteQuick(port: MessagePort): Pick<ShardReader, keyof QuickAnswers> {
  const { call } = caller(port);
  return {
    estimate: (question) => call('estimate', question) as ReturnType<ShardReader['estimate']>,
    kinds: (question) => call('kinds', question) as ReturnType<ShardReader['kinds']>,
  };
}

/** The asker that answers at the other end of a port. */
export function remoteAsker(port: MessagePort): Asker & { close(): void } {
  const { call, close } = caller(port);
  return {
    answer: (question) => call('answer', question) as Promise<Answered>,
    async fragment(question) {
      const { rows, ...beside } = (await call('fragment', question)) as PackedFragment;
      return { rows: unpackRows(rows), ...beside };
    },
    close,
  };
}

interface PackedAnswer extends Omit<ShardAnswer, 'fragments'> {
  readonly fragments: readonly PackedRows[];
}

interface PackedFragment extends Omit<FragmentRows, 'rows'> {
  readonly rows: PackedRows;
}

function askerHandlers(asker: Asker): Handlers {
  return {
    answer: async (question: never) => {
      const value = await asker.answer(question);
      return { value, transfer: [value.envelope.buffer as ArrayBuffer] };
    },
    fragment: async (question: FragmentQuestion) => {
      const { answer, regexWork } = await metered(question, [question.fragment], () => asker.fragment(question));
      const rows = packRows(answer.rows);
      const spent = { ...answer.spent, regexWork: Math.max(regexWork, answer.spent.regexWork) };
      return { value: { rows, notes: answer.notes, spent } satisfies PackedFragment, transfer: buffersOf(rows) };
    },
  };
}

function copied(value: unknown): Sent {
  return { value, transfer: [] };
}

/**
 * Runs a question for a hub with its regular expressions on one meter that goes on from what the request has spent: what they
 * shared did not come along with the message.
 */
async function metered<T>(
  { spent }: { readonly spent: Spent },
  fragments: readonly ShardFragment[],
  run: () => Promise<T>,
): Promise<{ readonly answer: T; readonly regexWork: number }> {
  const meter = startRegexMeter();
  meter.work = spent.regexWork;
  for (const fragment of fragments) {
    if (fragment.answer !== 'series') meterSelectors(fragment.expr, meter);
    else for (const matcher of fragment.matchers) shareRegexMeter(matcher, meter);
  }
  const answer = await run();
  return { answer, regexWork: meter.work };
}

function meterSelectors(expr: Expr, meter: RegexMeter): void {
  if (expr.kind === 'vector') for (const matcher of expr.matchers) shareRegexMeter(matcher, meter);
  for (const child of children(expr)) meterSelectors(child, meter);
}

function errorData(reason: unknown): ErrorData {
  const { code, message } = toComityError(reason);
  return { code, message };
}

/** Serving alone keeps no thread alive. */
function serve(
  port: MessagePort,
  handlers: Handlers,
  inTurn: (method: keyof Methods, question: unknown, answer: () => Promise<Sent>) => Promise<Sent> = (_m, _q, answer) =>
    answer(),
): void {
  port.on('message', ({ id, method, question }: Request) => {
    const handler = handlers[method] as ((question: unknown) => Promise<Sent>) | undefined;
    const answer =
      handler === undefined
        ? Promise.reject(new ComityError('internal', `${method} is not answered at this port`))
        : inTurn(method, question, () => handler(question));
    answer
      .then(({ value, transfer }) => port.postMessage({ id, value } satisfies Reply, transfer))
      .catch((reason: unknown) => {
        port.postMessage({ id, error: errorData(reason) } satisfies Reply);
      });
  });
  port.unref();
}

interface Pending {
  resolve(value: unknown): void;
  reject(error: ComityError): void;
}

/** Calls over a port. It keeps the thread alive while an answer is awaited; what is pending when it closes fails. */
function caller(port: MessagePort): {
  call(method: keyof Methods, question: unknown): Promise<unknown>;
  close(): void;
} {
  const pending = new Map<number, Pending>();
  let calls = 0;
  let closed = false;

  port.on('message', (reply: Reply) => {
    const one = pending.get(reply.id);
    pending.delete(reply.id);
    if (pending.size === 0) port.unref();
    if ('error' in reply) one?.reject(errorFrom(reply.error));
    else one?.resolve(reply.value);
  });
  port.on('close', () => {
    closed = true;
    for (const one of pending.values()) one.reject(ended());
    pending.clear();
  });
  port.unref();

  return {
    call(method, question) {
      if (closed) return Promise.reject(ended());
      const id = calls++;
      return new Promise((resolve, reject) => {
        port.postMessage({ id, method, question } satisfies Request);
        pending.set(id, { resolve, reject });
        port.ref();
      });
    },
    close: () => port.close(),
  };
}

function ended(): ComityError {
  return new ComityError('unavailable', 'the thread that answers queries has ended. Ask again');
}
