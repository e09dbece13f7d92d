import { Command } from 'commander';
import { adminSocket } from '../agent/admin.ts';
import type { KeysAnswer } from '../agent/key-report.ts';
import { readText } from '../base/config.ts';
import { ComityError } from '../base/errors.ts';
import { openPolicy, type PolicyTexts } from '../policy/document.ts';
import { policyWarnings, type PolicyWarning } from '../policy/warnings.ts';
import { askAdmin } from './admin-request.ts';
import { FILES_HELP, readPolicyTexts } from './policy-files.ts';

interface Options {
  readonly metrics?: string;
  readonly store?: string;
  readonly domainLabel: string;
  readonly json?: boolean;
}

interface CheckedPolicy {
  readonly domain: string;
  readonly digest: string;
  readonly documents: readonly { readonly layer: string; readonly source: string }[];
  /** How many of the metrics at hand are of each class; undefined without any. */
  readonly classes: Readonly<Record<string, number>> | undefined;
  readonly warnings: readonly PolicyWarning[];
}

/** `comity policy check FILE…`: whether documents are valid, and what they may not mean as they are meant. */
export function policyCheckCommand(): Command {
  return new Command('check')
    .description(
      'Check documents of policies: fields, names and domains, what leaves series by series, words without effect.',
    )
    .argument('<file...>', 'documents, or folders of them')
    .option('--metrics <file>', 'names of the domain’s metrics, one a line, to count what holds for how many')
    .option('--store <path>', 'ask the agent that runs on this store for them instead')
    .option('--domain-label <name>', 'the label that tells domains apart', 'domain')
    .option('--json', 'print JSON')
    .addHelpText('after', `${FILES_HELP}\n\nExit status: 0 all are valid, 1 some are not.`)
    .action(async (paths: readonly string[], options: Options) => {
      const metrics = await metricsOf(options);
      const checked = readPolicyTexts(paths, options.domainLabel).map((texts) => checkedPolicy(texts, metrics));
      process.stdout.write(options.json === true ? `${JSON.stringify(checked)}\n` : checked.map(textOf).join('\n'));
    });
}

function checkedPolicy(texts: PolicyTexts, metrics: readonly string[] | undefined): CheckedPolicy {
  const policy = openPolicy(texts);
  const { domain, digest, layers } = policy;
  const classes: Record<string, number> = {};
  for (const metric of metrics ?? []) classes[policy.classOf(metric)] = (classes[policy.classOf(metric)] ?? 0) + 1;
  return {
    domain,
    digest,
    documents: layers.map(({ layer, source }) => ({ layer, source })),
    classes: metrics && classes,
    warnings: policyWarnings(policy, texts.domainLabel, metrics),
  };
}

async function metricsOf({ metrics, store }: Options): Promise<readonly string[] | undefined> {
  if (metrics !== undefined && store !== undefined) {
    throw new ComityError('bad_data', '--metrics and --store exclude each other');
  }
  if (store !== undefined) return ((await askAdmin(adminSocket(store), 'GET', '/keys')) as KeysAnswer).metrics;
  if (metrics === undefined) return undefined;
  const lines = readText(metrics)
    .split('\n')
    .map((line) => line.trim());
  return [...new Set(lines.filter((line) => line !== '' && !line.startsWith('#')))];
}

function textOf({ domain, digest, documents, classes, warnings }: CheckedPolicy): string {
  const counted = Object.entries(classes ?? {}).map(([egress, count]) => `${count} ${egress}`);
  return [
    `${domain}: valid, digest ${digest.slice(0, 16)}`,
    ...documents.map(({ layer, source }) => `  ${layer.padEnd('global'.length)} ${source}`),
    ...(counted.length === 0 ? [] : [`  metrics: ${counted.join(', ')}`]),
    ...warnings.map(
      ({ source, message }) => `  warning: ${source === '' || documents.length === 1 ? '' : `${source}: `}${message}`,
    ),
    '',
  ].join('\n');
}
