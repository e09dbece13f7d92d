import { Command, Option } from 'commander';
import { ComityError } from '../base/errors.ts';
import { RELEASE_KINDS, type Leaf } from '../ledger/leaf.ts';
import { openLedgerReader, type Entry } from '../ledger/reader.ts';
import { verifyLedger } from '../ledger/verify.ts';
import { keysOption, progress, readKeys } from './ledger-keys.ts';
import { leafFilter, sumLeaves, SUM_FIELDS, type LeafFilter, type SumField } from './ledger-sums.ts';
import { columns } from './ledger-text.ts';
import { timeOption } from './time-option.ts';

interface Options extends LeafFilter {
  readonly from?: string;
  readonly to?: string;
  readonly by?: string;
  readonly keys?: readonly string[];
  readonly json?: boolean;
}

/** `comity ledger show PATH`: the leaves, or sums of them. */
export function ledgerShowCommand(): Command {
  return new Command('show')
    .description('Print what a ledger says: a line a leaf, or sums. With --keys it is verified first.')
    .argument('<path>', 'the ledger’s SQLite file, or the folder of an export')
    .option('--from <time>', 'leaves of this time on: 2026-11-22, or 2026-11-22T08:05Z')
    .option('--to <time>', 'leaves before this time')
    .addOption(new Option('--kind <kind>', 'leaves of this kind').choices(['release', 'policy', 'start', 'redaction']))
    .addOption(new Option('--what <kind>', 'answers of this kind').choices(RELEASE_KINDS))
    .addOption(
      new Option('--decision <decision>', 'fragments that were released, or refused').choices(['released', 'refused']),
    )
    .option('--metric <name>', 'fragments that read this metric')
    .option('--destination <jurisdiction>', 'answers that went there')
    .option('--consumer <pseudonym>', 'answers to this consumer')
    .option('--by <fields>', `sums instead of leaves, by some of ${SUM_FIELDS.join(', ')}, with commas between`)
    .addOption(keysOption())
    .option('--json', 'print a JSON object a line')
    .addHelpText(
      'after',
      `
Sums count an answer once in each group that it belongs to, with all of its bytes; heartbeats count as often as their leaf
says at the most.`,
    )
    .action((path: string, options: Options) => {
      if (options.keys !== undefined) verifyLedger(path, readKeys(options.keys), { onProgress: progress('verified') });
      const fields = sumFields(options.by);
      const filter = leafFilter({
        ...options,
        fromMs: timeOption(options.from, '--from') ?? -Infinity,
        toMs: timeOption(options.to, '--to') ?? Infinity,
      });
      const reader = openLedgerReader(path);
      try {
        if (fields === undefined)
          printLeaves(reader.entries(), (leaf) => filter(leaf) !== undefined, options.json === true);
        else printSums(sumLeaves(reader.entries(), filter, fields), fields, options.json === true);
      } finally {
        reader.close();
      }
    });
}

function printLeaves(entries: Iterable<Entry>, fits: (leaf: Leaf) => boolean, json: boolean): void {
  const rows: string[][] = [];
  for (const { index, leaf } of entries) {
    if (!fits(leaf)) continue;
    if (json) process.stdout.write(`${JSON.stringify({ index, ...leaf })}\n`);
    else rows.push(rowOf(index, leaf));
    if (rows.length === ROWS_PER_TABLE) process.stdout.write(columns(LEAF_HEADER, rows.splice(0)));
  }
  if (!json) process.stdout.write(columns(LEAF_HEADER, rows));
}

/** Long logs come as several tables, so that they need not be held to find the width of a column. */
const ROWS_PER_TABLE = 10_000;

const LEAF_HEADER = ['index', 'minute', 'kind', 'decision', 'to', 'bytes', 'about'];

function rowOf(index: number, leaf: Leaf): string[] {
  const start = (minute: string): string[] => [String(index), minute];
  switch (leaf.kind) {
    case 'release': {
      const { what, minute, decision, destination, bytes, times, fragments } = leaf;
      const about = fragments.map(({ operators, metrics, dimensions, reason }) =>
        [
          `${operators.join('/')}(${metrics.join(' ')})`,
          ...(dimensions.length > 0 ? [`by ${dimensions.join(',')}`] : []),
          ...(reason === undefined ? [] : [`refused: ${reason}`]),
        ].join(' '),
      );
      const length = times === undefined ? String(bytes) : `<${times}x${bytes}`;
      return [...start(minute), what, decision, destination, length, about.join('; ')];
    }
    case 'policy': {
      const { minute, policy, state, reason, approvers, loosening, changes } = leaf;
      const about = [`${policy.slice(0, 16)} ${state}`, reason ?? '', loosening ? 'loosening' : ''];
      const signed = approvers.length === 0 ? '' : `signed by ${approvers.join(', ')}`;
      return [
        ...start(minute),
        'policy',
        '',
        '',
        '',
        [...about, signed, ...changes].filter((text) => text !== '').join('; '),
      ];
    }
    case 'start':
      return [
        ...start(leaf.minute),
        'start',
        '',
        '',
        '',
        `version ${leaf.version}, ${leaf.source}, ${leaf.jurisdiction}`,
      ];
    case 'redaction': {
      const counts = leaf.counts.map(({ place, rule, action, count }) => `${place} ${rule} ${action} ${count}`);
      return [...start(leaf.to), 'redaction', '', '', '', counts.join('; ')];
    }
  }
}

function printSums(sums: ReturnType<typeof sumLeaves>, fields: readonly SumField[], json: boolean): void {
  if (json) {
    for (const sum of sums) process.stdout.write(`${JSON.stringify(sum)}\n`);
    return;
  }
  const rows = sums.map(({ answers, fragments, bytes, ...by }) => [
    ...fields.map((field) => by[field] ?? ''),
    ...[answers, fragments, bytes].map(String),
  ]);
  process.stdout.write(columns([...fields, 'answers', 'fragments', 'bytes'], rows));
}

function sumFields(text: string | undefined): readonly SumField[] | undefined {
  return text?.split(',').map((part) => {
    const field = SUM_FIELDS.find((one) => one === part.trim());
    if (field === undefined) {
      throw new ComityError(
        'bad_data',
        `--by: there is no ${JSON.stringify(part)}; there are ${SUM_FIELDS.join(', ')}`,
      );
    }
    return field;
  });
}
