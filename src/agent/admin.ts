import { chmodSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import type { Logger } from 'pino';
import Type, { type Static, type TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { boundParam, integerParam, requestParams } from '../api/params.ts';
import { selectorParams } from '../api/selectors.ts';
import { sendData, sendErrors } from '../api/envelope.ts';
import { whileConnected } from '../api/while-connected.ts';
import { ComityError } from '../base/errors.ts';
import { httpServer } from '../base/http.ts';
import type { LateAnswer, Settlement } from '../coverage/settlement.ts';
import { shardFolder, writeShardCount, type Shards } from '../shard/open-shards.ts';
import type { ShardStats } from '../shard/shard.ts';
import type { Compaction, Deletion } from '../store/store.ts';
import type { CanaryReport } from './canary.ts';
import type { KeysAnswer } from './key-report.ts';

/** A deletion in one shard. As JSON has no infinite numbers, a bound that there is not is `null` there. */
export interface ShardDeletion extends Deletion {
  readonly shard: number;
}

/** What POST /delete answers. */
export interface DeleteAnswer {
  /** Series of which samples may be hidden now; one that satisfies several selectors counts for each. */
  readonly series: number;
  readonly deletions: readonly ShardDeletion[];
}

/** What GET /stats answers. */
export interface StatsAnswer extends ShardStats {
  readonly shards: readonly ShardStats[];
}

/** What the domain has seen, for GET /keys; stopped by the signal. */
export type KeyLister = (signal: AbortSignal) => Promise<KeysAnswer>;

/** What is looked up elsewhere. */
export interface AdminViews {
  readonly keys: KeyLister;
  /** What a candidate of the policy has decided. */
  canary(): CanaryReport;
}

const CLOSED = { additionalProperties: false } as const;

/** Times as in Prometheus's API: Unix seconds, or RFC 3339. All of time where left out. */
const DELETE = Type.Object(
  {
    match: Type.Array(Type.String({ minLength: 1 }), { minItems: 1 }),
    start: Type.Optional(Type.Union([Type.String(), Type.Number()])),
    end: Type.Optional(Type.Union([Type.String(), Type.Number()])),
  },
  CLOSED,
);

const BACKUP = Type.Object({ to: Type.String({ minLength: 1 }) }, CLOSED);

/** The socket of an agent's administration, in the folder of its store. */
export function adminSocket(storeFolder: string): string {
  return join(storeFolder, 'admin.sock');
}

/**
 * The administration of an agent's stores, for those who may read the data anyway: a Unix socket that only the agent's own
 * user can open. JSON in and out, in Prometheus's envelope.
 *
 * - POST /delete `{"match": ["…"], "start": …, "end": …}`: hides samples at once; `DeleteAnswer`.
 * - GET /deletions: the latest of them, `ShardDeletion`s.
 * - POST /compact: `Compaction`, of all shards together.
 * - POST /backup `{"to": "/folder"}`: copies all stores into a folder that is not there yet; `{"bytes": …}`.
 * - GET /late?since=N&epoch=E: what changed behind the watermark after number N; `LateAnswer`. Both may be left out.
 * - GET /canary: `CanaryReport`.
 * - GET /stats: `StatsAnswer`.
 * - GET /keys: the attributes, labels and metrics that the domain has seen, by name; `KeysAnswer`.
 */
export async function adminEndpoint(
  shards: Shards,
  settlement: Settlement,
  views: AdminViews,
  path: string,
  log: Logger,
): Promise<{ close(): Promise<void> }> {
  const app = httpServer(log);
  sendErrors(app, (error) => log.error({ err: error }, 'administration fault'));
  routes(app, shards, settlement, views);
  await listenAt(app, path);
  return {
    async close() {
      await app.close();
      rmSync(path, { force: true });
    },
  };
}

/**
 * Makes the socket in a folder that nobody else can enter, and moves it to its place when it is closed to others. What lies
 * there is left over: the store's lock lets one agent at a time come so far.
 */
async function listenAt(app: FastifyInstance, path: string): Promise<void> {
  const folder = mkdtempSync(`${path}.`);
  try {
    const made = join(folder, 's');
    await app.listen({ path: made });
    chmodSync(made, 0o600);
    renameSync(made, path);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function routes(app: FastifyInstance, { shards, stats }: Shards, settlement: Settlement, views: AdminViews): void {
  app.post('/delete', async (request, reply) => {
    const { match, start, end } = bodyOf(request.body, DELETE);
    const selectors = selectorParams(match);
    const bounds = new URLSearchParams({ start: String(start ?? ''), end: String(end ?? '') });
    const fromMs = boundParam(bounds, 'start', -Infinity);
    const toMs = boundParam(bounds, 'end', Infinity);
    if (fromMs > toMs) throw new ComityError('bad_data', 'invalid parameter "end": it lies before the start');
    const deletions: ShardDeletion[] = [];
    const change = settlement.begin({ fromMs, toMs });
    try {
      for (const { matchers } of selectors) {
        const done = await allOf(shards.map((shard) => shard.delete(matchers, fromMs, toMs)));
        for (const [shard, deletion] of done.entries()) deletions.push({ shard, ...deletion });
      }
    } catch (error) {
      change.failed();
      throw error;
    }
    const series = deletions.reduce((sum, deletion) => sum + deletion.series, 0);
    change.made(series > 0 ? { fromMs, toMs } : undefined);
    return sendData(reply, JSON.stringify({ series, deletions } satisfies DeleteAnswer));
  });
  app.get('/deletions', async (_request, reply) => {
    const lists = await Promise.all(shards.map((shard) => shard.deletions()));
    const all = lists.flatMap((list, shard) => list.map((deletion): ShardDeletion => ({ shard, ...deletion })));
    return sendData(reply, JSON.stringify(all));
  });
  app.get('/late', async (request, reply) => {
    const params = requestParams(request);
    const since = integerParam(params, 'since') ?? 0;
    const answer: LateAnswer = settlement.since(params.get('epoch') ?? settlement.epoch, since);
    return sendData(reply, JSON.stringify(answer));
  });
  app.post('/compact', async (_request, reply) => {
    const done = await Promise.all(shards.map((shard) => shard.compact()));
    return sendData(reply, JSON.stringify(done.reduce(bothCompactions)));
  });
  app.post('/backup', async (request, reply) => {
    const { to } = bodyOf(request.body, BACKUP);
    return sendData(reply, JSON.stringify(await backup(shards, to)));
  });
  app.get('/keys', async (_request, reply) => sendData(reply, JSON.stringify(await views.keys(whileConnected(reply)))));
  app.get('/canary', async (_request, reply) => sendData(reply, JSON.stringify(views.canary())));
  app.get('/stats', async (_request, reply) => {
    const answer: StatsAnswer = { ...stats(), shards: shards.map((shard) => shard.stats()) };
    return sendData(reply, JSON.stringify(answer));
  });
}

/** Waits for all of them, also where one has failed: nothing goes on behind the back of whoever is told of the failure. */
async function allOf<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}

/** A folder that an agent can be started on, or nothing at all. */
async function backup(shards: Shards['shards'], to: string): Promise<{ readonly bytes: number }> {
  if (!isAbsolute(to)) throw new ComityError('bad_data', `${to} is no absolute path: name the folder from the root on`);
  try {
    await mkdir(to, { mode: 0o700 });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'EEXIST' ? 'there is something already' : message;
    throw new ComityError('bad_data', `cannot make the folder ${to}: ${reason}. Name one that is not there yet`);
  }
  try {
    const done = await Promise.allSettled(shards.map((shard, at) => shard.backup(join(to, shardFolder(at)))));
    let bytes = 0;
    for (const one of done) {
      if (one.status === 'rejected') throw one.reason;
      bytes += one.value.bytes;
    }
    writeShardCount(to, shards.length);
    return { bytes };
  } catch (error) {
    await rm(to, { recursive: true, force: true });
    throw error;
  }
}

function bothCompactions(a: Compaction, b: Compaction): Compaction {
  return {
    chunksMerged: a.chunksMerged + b.chunksMerged,
    samplesErased: a.samplesErased + b.samplesErased,
    bytesBefore: a.bytesBefore + b.bytesBefore,
    bytesAfter: a.bytesAfter + b.bytesAfter,
  };
}

/** Throws `bad_data` that names the field at fault. */
function bodyOf<T extends TSchema>(body: unknown, schema: T): Static<T> {
  const value = body ?? {};
  if (Value.Check(schema, value)) return value;
  const [first] = Value.Errors(schema, value);
  throw new ComityError(
    'bad_data',
    `the body is not as it should be: ${first?.instancePath ?? ''} ${first?.message ?? ''}`,
  );
}
