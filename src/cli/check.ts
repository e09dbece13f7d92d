import { readFileSync, statSync } from 'node:fs';
import { Command } from 'commander';
import pLimit from 'p-limit';
import { ComityError, messageOf } from '../base/errors.ts';
import { parseFloatStrict } from '../base/numbers.ts';
import { assertRelativeError } from '../partial/sketch-keys.ts';
import { ALL_HUB_FEATURES } from '../promql/features.ts';
import { isDashboard, questionsOfDashboard } from './check-dashboard.ts';
import type { FoundFile } from './check-found.ts';
import { hubJudge, policyJudge, readPolicies, type JudgeOptions, type JudgeQuestion } from './check-judge.ts';
import { questionsOfRules } from './check-rules.ts';
import { checkedFile, checkedQuestion, checkedText, summarised, type Checked, type CheckedFile } from './check-text.ts';

interface Options {
  readonly hub?: string;
  readonly policy: readonly string[];
  readonly domainLabel: string;
  readonly approx?: string;
  readonly json?: boolean;
}

/** Dashboards are some hundred kilobytes, rule files some megabytes. */
const FILE_BYTES_MAX = 64 * 1024 * 1024;

/** Questions that a hub is asked at once. */
const AT_ONCE = 4;

/** `comity check FILE…`: which queries of dashboards and rule files a federation answers. */
export function checkCommand(): Command {
  return new Command('check')
    .description(
      'Check Grafana dashboards (JSON) and Prometheus rule files: which of their queries a federation answers, and what to ask instead of the others.',
    )
    .argument('<file...>', 'dashboards and rule files')
    .option('--hub <url>', 'decide by asking this hub, whose domains decide by their policies')
    .option(
      '--policy <file>',
      'decide by the policy of a domain; repeat for more. Without --hub and --policy every metric counts as open',
      (path: string, before: readonly string[]) => [...before, path],
      [],
    )
    .option('--domain-label <name>', 'the label that tells domains apart', 'domain')
    .option('--approx <error>', 'the relative error that quantile may have, such as 0.01')
    .option('--json', 'print JSON')
    .addHelpText('after', '\nExit status: 0 every query is answered, 2 some are not, 1 a mistake.')
    .action(async (paths: readonly string[], options: Options) => {
      const checked = await checkFiles(paths, options);
      if (checked.shareAnswered < 1) process.exitCode = 2;
      process.stdout.write(`${options.json === true ? JSON.stringify(checked) : checkedText(checked)}\n`);
    });
}

async function checkFiles(paths: readonly string[], options: Options): Promise<Checked> {
  const { hub, domainLabel } = options;
  if (hub !== undefined && options.policy.length > 0) {
    throw new ComityError(
      'bad_data',
      '--hub and --policy exclude each other: a hub’s domains have policies of their own',
    );
  }
  const policies = readPolicies(options.policy, domainLabel);
  const judging: JudgeOptions = { features: ALL_HUB_FEATURES, domainLabel, approx: approxOf(options.approx) };
  const judge = hub === undefined ? policyJudge(policies, judging) : hubJudge(hub, judging);
  const files: CheckedFile[] = [];
  for (const path of paths) {
    const found = questionsOf(path, { domainLabel, domain: policies[0]?.domain });
    files.push(await judged(path, found, judge));
  }
  return summarised(files);
}

async function judged(path: string, found: FoundFile, judge: JudgeQuestion): Promise<CheckedFile> {
  const limit = pLimit(AT_ONCE);
  const questions = await Promise.all(
    found.questions.map((question) => limit(async () => checkedQuestion(question, await judge(question)))),
  );
  return checkedFile(path, found, questions);
}

/** What a file asks, be it a dashboard or a rule file. Errors name the file. */
function questionsOf(path: string, options: Parameters<typeof questionsOfDashboard>[1]): FoundFile {
  try {
    if (statSync(path).size > FILE_BYTES_MAX) {
      throw new ComityError('limit', `it is larger than ${FILE_BYTES_MAX} bytes`);
    }
    const text = readFileSync(path, 'utf8');
    if (!text.trimStart().startsWith('{')) return questionsOfRules(text);
    const document: unknown = JSON.parse(text);
    return isDashboard(document) ? questionsOfDashboard(document, options) : questionsOfRules(text);
  } catch (error) {
    throw new ComityError('bad_data', `${path}: ${messageOf(error)}`, { cause: error });
  }
}

function approxOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const relativeError = parseFloatStrict(text) ?? NaN;
  assertRelativeError(relativeError);
  return relativeError;
}
