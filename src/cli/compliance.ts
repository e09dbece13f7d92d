import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { request } from 'undici';
import { readText } from '../base/config.ts';
import { ComityError, messageOf } from '../base/errors.ts';
import { makeReport } from '../ledger/report/make-report.ts';
import { reportPage } from '../ledger/report/page.ts';
import type { ComplianceReport } from '../ledger/report/report.ts';
import { reportText } from './compliance-text.ts';
import { readEnvelope } from './hub-request.ts';
import { keysOption, progress, readKeys } from './ledger-keys.ts';
import { timeOption } from './time-option.ts';

interface Options {
  readonly domain: string;
  readonly from?: string;
  readonly to?: string;
  readonly ledger?: string;
  readonly keys?: readonly string[];
  readonly agent: string;
  readonly tokenFile?: string;
  readonly html?: string;
  readonly json?: boolean;
}

/** `comity compliance …`: what a domain's compliance team asks. */
export function complianceCommand(): Command {
  return new Command('compliance')
    .description('What left a domain, what was refused, and the proof.')
    .addCommand(reportCommand());
}

function reportCommand(): Command {
  return new Command('report')
    .description('Report on a period from a domain’s ledger, which is verified first.')
    .requiredOption('--domain <name>', 'the domain')
    .option('--from <time>', 'the period’s start, such as 2026-11-01 or RFC 3339; 30 days before its end when left out')
    .option('--to <time>', 'the period’s end; now when left out')
    .option(
      '--ledger <path>',
      'the ledger’s SQLite file, or the folder of an export; without it a running agent is asked',
    )
    .addOption(keysOption())
    .option(
      '--agent <url>',
      'the agent’s address for compliance',
      process.env['COMITY_AGENT'] ?? 'http://127.0.0.1:7202',
    )
    .option('--token-file <file>', 'the compliance role’s token at the agent')
    .option('--html <file>', 'write the report as a page; - for standard output')
    .option('--json', 'print the report as JSON')
    .addHelpText('after', '\nA summary is printed where neither --html nor --json is given.')
    .action(async (options: Options) => {
      const report = options.ledger === undefined ? await askAgent(options) : readHere(options, options.ledger);
      if (options.html === '-') process.stdout.write(reportPage(report));
      else if (options.html !== undefined) {
        writeFileSync(options.html, reportPage(report), { mode: 0o600 });
        process.stderr.write(`the report is in ${options.html}\n`);
      }
      if (options.json === true) process.stdout.write(`${JSON.stringify(report)}\n`);
      else if (options.html === undefined) process.stdout.write(`${reportText(report)}\n`);
    });
}

const PERIOD_MS = 30 * 24 * 60 * 60 * 1000;

function readHere(options: Options, path: string): ComplianceReport {
  if (options.keys === undefined) {
    throw new ComityError(
      'bad_config',
      'name the ledger’s key with --keys; the agent logs it, and comity keys show prints it',
    );
  }
  const madeMs = Date.now();
  const toMs = timeOption(options.to, '--to') ?? madeMs;
  const fromMs = timeOption(options.from, '--from') ?? toMs - PERIOD_MS;
  const period = { domain: options.domain, fromMs, toMs, madeMs };
  return makeReport(path, readKeys(options.keys), period, { onProgress: progress('verified') });
}

async function askAgent({ domain, from, to, agent, tokenFile }: Options): Promise<ComplianceReport> {
  if (tokenFile === undefined) {
    throw new ComityError(
      'bad_config',
      'give --token-file, the compliance role’s token at the agent, or --ledger and --keys',
    );
  }
  const params = new URLSearchParams({ domain });
  for (const [name, text] of [
    ['from', from],
    ['to', to],
  ] as const) {
    const ms = timeOption(text, `--${name}`);
    if (ms !== undefined) params.set(name, String(ms / 1000));
  }
  const url = `${agent.replace(/\/+$/, '')}/compliance/v1/report?${params.toString()}`;
  const headers = { authorization: `Bearer ${readText(tokenFile).trim()}` };
  const text = await request(url, { headers }).then(
    ({ body }) => body.text(),
    (error: unknown) => {
      throw new ComityError(
        'unavailable',
        `no agent answers at ${agent}: ${messageOf(error)}. Name another with --agent`,
      );
    },
  );
  const { status, data, error } = readEnvelope<ComplianceReport>(text, url);
  if (status === 'success' && data !== undefined) return data;
  throw new ComityError('execution', error ?? 'the agent gave no reason');
}
