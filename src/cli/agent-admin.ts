import { resolve } from 'node:path';
import { Command } from 'commander';
import { adminSocket, type DeleteAnswer, type ShardDeletion } from '../agent/admin.ts';
import { readAgentConfig } from '../agent/config.ts';
import type { Compaction } from '../store/store.ts';
import { askAdmin } from './admin-request.ts';
import { aligned } from './query-table.ts';

interface Options {
  readonly config: string;
  readonly json?: boolean;
}

interface DeleteOptions extends Options {
  readonly start?: string;
  readonly end?: string;
}

/** `comity agent delete | deletions | compact | backup`: asks the agent of a configuration that runs on this machine. */
export function adminCommands(): Command[] {
  const command = (name: string, description: string): Command =>
    new Command(name)
      .description(description)
      .option('--json', 'print the agent’s JSON')
      .configureHelp({ showGlobalOptions: true });
  return [
    command('delete', 'Delete the samples of series: hidden at once, gone from the files with the next compaction.')
      .argument('<selector...>', 'series selectors, such as \'up{job="shop"}\'; a series that satisfies one is meant')
      .option('--start <time>', 'the first time (Unix seconds or RFC 3339); all before when left out')
      .option('--end <time>', 'the last time; all after when left out')
      .action(async (match: string[], _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<DeleteOptions>();
        const { start, end } = options;
        print(options, await ask(options, 'POST', '/delete', { match, start, end }), deletedText);
      }),
    command('deletions', 'List the latest deletions.').action(async (_options: unknown, self: Command) => {
      const options = self.optsWithGlobals<Options>();
      print(options, await ask(options, 'GET', '/deletions'), deletionsText);
    }),
    command('compact', 'Merge chunks, and take out of the files what is deleted.').action(
      async (_options: unknown, self: Command) => {
        const options = self.optsWithGlobals<Options>();
        print(options, await ask(options, 'POST', '/compact', {}), compactionText);
      },
    ),
    command('backup', 'Copy the store into a new folder while the agent serves; an agent can be started on the copy.')
      .argument('<folder>', 'the folder, which must not be there yet')
      .action(async (folder: string, _options: unknown, self: Command) => {
        const options = self.optsWithGlobals<Options>();
        const to = resolve(folder);
        const text = ({ bytes }: { readonly bytes: number }): string => `${to}: ${sizeText(bytes)}`;
        print(options, await ask(options, 'POST', '/backup', { to }), text);
      }),
  ];
}

function print<T>({ json }: Options, data: unknown, text: (data: T) => string): void {
  process.stdout.write(`${json === true ? JSON.stringify(data) : text(data as T)}\n`);
}

async function ask({ config }: Options, method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
  return askAdmin(adminSocket(readAgentConfig(config).store), method, path, body);
}

/** JSON has no infinite times. */
type Told = Omit<ShardDeletion, 'fromMs' | 'toMs'> & { readonly fromMs: number | null; readonly toMs: number | null };

function deletedText({ series }: DeleteAnswer): string {
  return series === 0 ? 'no series has such samples' : `${series} series: their samples are hidden`;
}

function deletionsText(all: readonly Told[]): string {
  if (all.length === 0) return '(none)';
  const lines = all.map(({ shard, id, series, fromMs, toMs, state }) => [
    `${shard}/${id}`,
    String(series),
    timeText(fromMs),
    timeText(toMs),
    state,
  ]);
  return aligned([['ID', 'SERIES', 'FROM', 'TO', 'STATE'], ...lines]);
}

function compactionText({ chunksMerged, samplesErased, bytesBefore, bytesAfter }: Compaction): string {
  const sizes = `${sizeText(bytesBefore)} before, ${sizeText(bytesAfter)} now`;
  return `${chunksMerged} chunks merged, ${samplesErased} samples erased; ${sizes}`;
}

/** The first and the last time that there are stand for no bound. */
const TIME_MS_MAX = 8.64e15;

function timeText(timeMs: number | null): string {
  return timeMs === null || Math.abs(timeMs) >= TIME_MS_MAX ? 'any' : new Date(timeMs).toISOString();
}

function sizeText(bytes: number): string {
  const units = ['bytes', 'KB', 'MB', 'GB', 'TB'];
  let size = bytes;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`;
}
