import { readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parseDocument } from 'yaml';
import { readText } from '../base/config.ts';
import { ComityError, messageOf } from '../base/errors.ts';
import { openPolicy, type Policy, type PolicyTexts } from '../policy/document.ts';
import { ANY_DOMAIN, type LayerText } from '../policy/layer.ts';
import { LAYER_NAMES, type LayerName } from '../policy/said.ts';

/** What the names of documents in a folder end with. */
const POLICY_ENDING = '.policy.yaml';

/** What the help of commands says of their files. */
export const FILES_HELP =
  '\nFiles are documents of policies, or folders with *.policy.yaml. Those of one domain make its policy together, with all' +
  '\nglobal ones, whose domain is "*". Of which layer a document is, its name says: global*, domain*, or any other for local.';

/** The documents of each domain among files and folders. Throws `bad_config` for what cannot be read. */
export function readPolicyTexts(paths: readonly string[], domainLabel: string): readonly PolicyTexts[] {
  const all = paths.flatMap(documentsAt).map(readDocument);
  const globals = all.filter(({ domain }) => domain === ANY_DOMAIN).map(({ text }) => text);
  const domains = [...new Set(all.map(({ domain }) => domain).filter((domain) => domain !== ANY_DOMAIN))];
  // A global document alone is looked at as it would stand in a domain that adds nothing.
  if (domains.length === 0) domains.push(NO_DOMAIN);
  return domains.map((domain) => ({
    domain,
    domainLabel,
    layers: [...globals, ...all.filter((one) => one.domain === domain).map(({ text }) => text)],
  }));
}

/** In place of a domain's name where only global documents are given. */
const NO_DOMAIN = 'any domain';

/** The policy that files and folders make for one domain. */
export function readOnePolicy(paths: readonly string[], domainLabel: string): Policy {
  const texts = readPolicyTexts(paths, domainLabel);
  if (texts.length > 1) {
    const names = texts.map(({ domain }) => domain).join(', ');
    throw new ComityError(
      'bad_data',
      `${paths.join(', ')}: documents of several domains (${names}); name those of one`,
    );
  }
  return openPolicy(texts[0]!);
}

function documentsAt(path: string): readonly string[] {
  if (!isFolder(path)) return [path];
  const names = readdirSync(path).filter((name) => name.endsWith(POLICY_ENDING));
  if (names.length === 0) throw new ComityError('bad_config', `${path}: no *${POLICY_ENDING} in this folder`);
  return names.sort().map((name) => join(path, name));
}

export function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch (error) {
    throw new ComityError('bad_config', `cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
}

/** Its faults are told when it is read for good. */
function readDocument(path: string): { readonly domain: string; readonly text: LayerText } {
  const text = readText(path);
  const named: unknown = parseDocument(text).toJS({ maxAliasCount: 100 });
  const domain = typeof named === 'object' && named !== null && 'domain' in named ? named.domain : undefined;
  const name = typeof domain === 'string' ? domain : '';
  return { domain: name, text: { layer: layerOf(path, name), source: path, text } };
}

function layerOf(path: string, domain: string): LayerName {
  if (domain === ANY_DOMAIN) return 'global';
  return LAYER_NAMES.find((layer) => basename(path).startsWith(layer)) ?? 'local';
}
