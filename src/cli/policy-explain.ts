import { Command } from 'commander';
import { ComityError } from '../base/errors.ts';
import type { Policy } from '../policy/document.ts';
import { labelRules } from '../policy/label-classes.ts';
import type { Layer } from '../policy/layer.ts';
import type { Said } from '../policy/said.ts';
import { ALL_HUB_FEATURES } from '../promql/features.ts';
import { policyJudge } from './check-judge.ts';
import { FILES_HELP, readOnePolicy } from './policy-files.ts';
import { aligned } from './query-table.ts';

interface Options {
  readonly metric: readonly string[];
  readonly label: readonly string[];
  readonly query: readonly string[];
  readonly domainLabel: string;
  readonly json?: boolean;
}

/** What one document says, and what all come to. */
interface Explained {
  readonly of: 'metric' | 'label' | 'query';
  readonly name: string;
  readonly documents: readonly { readonly source: string; readonly layer: string; readonly says: string }[];
  readonly outcome: string;
}

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

/** `comity policy explain FILE…`: which document decides, by which rule, and why. */
export function policyExplainCommand(): Command {
  return new Command('explain')
    .description(
      'Print what each document of a policy says of a metric, a label or a query, and what they come to together.',
    )
    .argument('<file...>', 'documents of one domain, or a folder of them')
    .option('--metric <name>', 'a metric; may be repeated, as may the others', collect, [])
    .option('--label <name>', 'a label', collect, [])
    .option('--query <promql>', 'a query, as far as it can be decided without the domain’s series', collect, [])
    .option('--domain-label <name>', 'the label that tells domains apart', 'domain')
    .option('--json', 'print JSON')
    .addHelpText('after', FILES_HELP)
    .action(async (paths: readonly string[], options: Options) => {
      const { metric, label, query, domainLabel, json } = options;
      if (metric.length + label.length + query.length === 0) {
        throw new ComityError('bad_data', 'name what to explain: --metric, --label or --query');
      }
      const policy = readOnePolicy(paths, domainLabel);
      const explained = [
        ...metric.map((name) => explainMetric(policy, name)),
        ...label.map((name) => explainLabel(policy, name, domainLabel)),
        ...(await Promise.all(query.map((text) => explainQuery(policy, text, domainLabel)))),
      ];
      process.stdout.write(
        json === true ? `${JSON.stringify(explained)}\n` : `${explained.map(textOf).join('\n\n')}\n`,
      );
    });
}

function explainMetric(policy: Policy, name: string): Explained {
  const { class: egress, operators, minSeries } = policy.ruleOf(name);
  const said = policy.layers.map((layer) => layer.saysOf(name));
  const byDefault = (field: 'class' | 'operators'): string =>
    said.every((one) => one[field] === undefined) ? ' (the default)' : '';
  const aggregate = `, operators ${[...operators].join(' ') || 'none'}${byDefault('operators')}, min_series ${minSeries}`;
  return {
    of: 'metric',
    name,
    documents: policy.layers.map((layer, i) => place(layer, saidText(said[i]!))),
    outcome: `class ${egress}${byDefault('class')}${egress === 'aggregate' ? aggregate : ''}`,
  };
}

function saidText({ rule, class: egress, operators, minSeries }: Said): string {
  const parts = [
    ...(egress === undefined ? [] : [`class ${egress}`]),
    ...(operators === undefined ? [] : [`operators ${[...operators].join(' ') || 'none'}`]),
    ...(minSeries === undefined ? [] : [`min_series ${minSeries}`]),
  ];
  const by = rule === undefined ? 'default_class' : `rule ${rule}`;
  return parts.length === 0 ? 'nothing' : `${by}: ${parts.join(', ')}`;
}

function explainLabel(policy: Policy, name: string, domainLabel: string): Explained {
  const { class: kind, entry } = labelRules(domainLabel, policy.admit)(name, '');
  const use = policy.permitsMatch(name)
    ? 'leaves and matches'
    : policy.permitsLabel(name)
      ? 'leaves, does not match'
      : 'stays';
  return {
    of: 'label',
    name,
    documents: policy.layers.map((layer) => place(layer, listsText(layer, name))),
    outcome: `${use}; it is ${kind}${entry === kind ? '' : ` (${entry})`}: ${KIND_WORDS[kind]}`,
  };
}

function listsText({ document: { labels = {}, admit = {} } }: Layer, name: string): string {
  const { permit, match, deny } = labels;
  const lists = Object.entries({
    permit,
    match,
    deny,
    prohibit: admit.prohibit,
    public: admit.public,
    quasi: admit.quasi,
  });
  const parts = lists.flatMap(([field, list]) => {
    if (list === undefined) return [];
    if (list.includes(name)) return [`${field} lists it`];
    if (field === 'permit' && list.includes('*')) return ['permit lists every label'];
    return field === 'permit' || field === 'match' ? [`${field} does not list it`] : [];
  });
  return parts.length === 0 ? 'nothing' : parts.join(', ');
}

const KIND_WORDS = {
  structural: 'always leaves',
  public: 'leaves unless a document denies it',
  quasi: 'leaves where permit lists it, matches where match does too',
  local: 'leaves and matches where permit lists it',
  subject: 'stored as pseudonyms, which leave nowhere but under permit "*"',
  prohibited: 'stored as pseudonyms, which leave nowhere but under permit "*"',
} as const;

async function explainQuery(policy: Policy, query: string, domainLabel: string): Promise<Explained> {
  const judge = policyJudge([policy], { features: ALL_HUB_FEATURES, domainLabel });
  const { outcome, why, works } = await judge({
    place: '',
    query,
    asked: query,
    kind: 'instant',
    restore: (text) => text,
  });
  const words = [
    outcome === 'answered' ? 'allowed, if all labels of what it finds may leave' : outcome,
    why,
    works && `works: ${works.text}`,
  ];
  return { of: 'query', name: query, documents: [], outcome: words.filter((word) => word !== undefined).join('; ') };
}

function place({ source, layer }: Layer, says: string): Explained['documents'][number] {
  return { source, layer, says };
}

function textOf({ of, name, documents, outcome }: Explained): string {
  const rows = documents.map(({ source, layer, says }) => [`  ${layer}`, source, says]);
  return [`${of} ${name}: ${outcome}`, ...(rows.length === 0 ? [] : [aligned(rows)])].join('\n');
}
