import { writeFileSync } from 'node:fs';
import { Command } from 'commander';
import { readText } from '../base/config.ts';
import { ComityError, messageOf } from '../base/errors.ts';
import { readKeyFile } from '../base/note-key.ts';
import {
  addSignatures,
  keyIdOf,
  readBundle,
  sealBundle,
  signersOf,
  type BundleDraft,
  type PolicyBundle,
  type SealedBundle,
} from '../policy/bundle.ts';
import { bundleLayers, offeredBundle } from '../policy/bundle-chain.ts';
import { isLooserBeneath } from '../policy/diff.ts';
import { openPolicy } from '../policy/document.ts';
import { parseDuration } from '../promql/duration.ts';
import { bundleKeys, digestOf, readBundleFile } from './bundle-files.ts';

interface SignOptions {
  readonly key: readonly string[];
  readonly version?: string;
  readonly previous?: string;
  readonly expires: string;
  readonly global?: string;
  readonly domain: readonly string[];
  readonly rollbackTo?: string;
  readonly canary?: boolean;
  readonly domainLabel: string;
  readonly out: string;
}

const collect = (value: string, all: readonly string[]): readonly string[] => [...all, value];

/** `comity policy sign`: makes a bundle of policy documents, or adds a signature to one. */
export function policySignCommand(): Command {
  return new Command('sign')
    .description(
      'Make a signed bundle of policy documents that agents take from a hub or a file; with a bundle as argument, add signatures to it. What makes a policy looser needs the signature of compliance.',
    )
    .argument('[bundle]', 'a bundle that gets further signatures, and stays the same otherwise')
    .option('--key <file>', 'a secret key (comity keys make); repeat for several signatures', collect, [])
    .option('--version <number>', 'greater than that of the bundle before; one more than it when left out')
    .option('--previous <bundle>', 'the bundle before, as a file or its digest; none for the first')
    .option('--expires <time>', 'RFC 3339, or how long from now; afterwards nothing leaves', '90d')
    .option('--global <file>', 'the document for every domain')
    .option('--domain <name=file>', 'the document for one domain; repeat for more', collect, [])
    .option('--rollback-to <bundle>', 'the bundle whose documents come back, as a file or its digest')
    .option('--canary', 'agents decide by it in shadow and do not put it in force')
    .option('--domain-label <name>', 'the label that tells domains apart', 'domain')
    .requiredOption('--out <file>', 'where the bundle goes')
    .action((bundle: string | undefined, options: SignOptions) => {
      if (bundle !== undefined) assertNothingElse(options);
      if (options.key.length === 0) throw new ComityError('bad_config', 'give --key: a bundle is signed by somebody');
      const signers = options.key.map(readKeyFile);
      const text =
        bundle === undefined
          ? sealBundle(draftOf(options, Date.now()), signers)
          : addSignatures(readBundleFile(bundle), signers);
      const sealed = readBundle(text);
      if (bundle === undefined) assertDocuments(sealed, options.domainLabel);
      writeFileSync(options.out, text);
      process.stdout.write(`${options.out}\n${summary(sealed)}\n`);
      for (const line of loosened(sealed, options)) process.stdout.write(`${line}\n`);
    });
}

/** `comity policy bundle show | verify`. */
export function policyBundleCommand(): Command {
  return new Command('bundle')
    .description('Look at signed bundles of policy documents.')
    .addCommand(
      new Command('show')
        .description('Print what a bundle says; signatures are named, not verified.')
        .argument('<file>')
        .option('--json', 'as JSON, with the documents')
        .action((file: string, { json }: { json?: boolean }) => {
          const sealed = readBundleFile(file);
          process.stdout.write(`${json === true ? asJson(sealed) : summary(sealed)}\n`);
        }),
    )
    .addCommand(
      new Command('verify')
        .description('Verify the signatures of a bundle, and with --previous that agents would take it after that one.')
        .argument('<file>')
        .requiredOption('--keys <key...>', 'compliance=KEY or operator=KEY, or files with one such a line')
        .option('--previous <file>', 'the bundle that is in force')
        .option('--domain <name...>', 'the domains whose agents are meant; those with documents when left out')
        .option('--domain-label <name>', 'the label that tells domains apart', 'domain')
        .action((file: string, options: VerifyOptions) => {
          for (const line of verified(file, options, Date.now())) process.stdout.write(`${line}\n`);
        }),
    );
}

interface VerifyOptions {
  readonly keys: readonly string[];
  readonly previous?: string;
  readonly domain?: readonly string[];
  readonly domainLabel: string;
}

function verified(
  file: string,
  { keys: given, previous, domain: named, domainLabel }: VerifyOptions,
  nowMs: number,
): string[] {
  const keys = bundleKeys(given);
  const sealed = readBundleFile(file);
  const signers = signersOf(sealed, keys);
  if (signers.length === 0) throw new ComityError('bad_data', `${file}: none of the given keys has signed it`);
  if (sealed.bundle.expiresMs <= nowMs) {
    throw new ComityError('bad_data', `${file}: it expired at ${timeText(sealed.bundle.expiresMs)}`);
  }
  const lines = signers.map(({ role, verifier }) => `signed for ${role} by ${keyIdOf(verifier)}`);
  if (previous === undefined) return lines;
  const { bundle, text } = readBundleFile(previous);
  const before = { bundle, text, approvers: [], history: [] };
  const domains = named ?? domainsOf(bundle, sealed.bundle);
  for (const domain of domains) {
    try {
      const offered = offeredBundle(sealed.text, before, undefined, { domain, domainLabel, keys }, nowMs);
      lines.push(`${domain}: its agents ${WORDS[offered.kind]}`);
    } catch (error) {
      throw new ComityError('bad_data', `${file}: agents of ${domain} refuse it: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }
  return lines;
}

const WORDS = {
  next: 'take it',
  candidate: 'decide by it in shadow',
  'in force': 'have it in force already',
} as const;

function draftOf(options: SignOptions, nowMs: number): BundleDraft {
  const { previous, version, global, domain, rollbackTo, canary, expires } = options;
  const domains = domain.map((given) => {
    const at = given.indexOf('=');
    if (at < 1) throw new ComityError('bad_config', `--domain ${given}: write name=file`);
    return [given.slice(0, at), readText(given.slice(at + 1))] as const;
  });
  if (new Set(domains.map(([name]) => name)).size < domains.length) {
    throw new ComityError('bad_config', '--domain: one domain has two documents');
  }
  return {
    version: versionOf(version, previous),
    created: timeText(nowMs),
    expires: expiryOf(expires, nowMs),
    previous: previous === undefined ? '' : digestOf(previous),
    ...(rollbackTo === undefined ? {} : { rollback_to: digestOf(rollbackTo) }),
    ...(canary === true ? { canary } : {}),
    documents: { ...(global === undefined ? {} : { global: readText(global) }), domains: Object.fromEntries(domains) },
  };
}

function versionOf(given: string | undefined, previous: string | undefined): number {
  if (given !== undefined) {
    if (/^[1-9]\d{0,14}$/.test(given)) return Number(given);
    throw new ComityError('bad_config', `--version ${given}: give a whole number from 1`);
  }
  if (previous === undefined) return 1;
  if (isDigest(previous))
    throw new ComityError('bad_config', 'give --version: a digest of the bundle before does not say it');
  return readBundleFile(previous).bundle.version + 1;
}

function isDigest(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

function expiryOf(given: string, nowMs: number): string {
  if (/^\d{4}-/.test(given)) {
    const ms = Date.parse(given);
    if (Number.isNaN(ms))
      throw new ComityError('bad_config', `--expires ${given} is no time: write 2027-01-31T00:00:00Z, or 90d`);
    return timeText(ms);
  }
  try {
    return timeText(nowMs + parseDuration(given));
  } catch (error) {
    throw new ComityError('bad_config', `--expires ${given}: ${messageOf(error)}`, { cause: error });
  }
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}

/** What is signed already stays as it is. */
function assertNothingElse({ version, previous, global, domain, rollbackTo, canary }: SignOptions): void {
  if ([version, previous, global, rollbackTo, canary].every((one) => one === undefined) && domain.length === 0) return;
  throw new ComityError(
    'bad_config',
    'a bundle that is there already gets signatures and nothing else: leave out the rest',
  );
}

/** A document that no agent can read would keep all of them from following. */
function assertDocuments({ bundle }: SealedBundle, domainLabel: string): void {
  // A global document alone is for any domain.
  const domains = bundle.domains.size === 0 ? ['any'] : [...bundle.domains.keys()];
  for (const domain of domains) {
    const layers = bundleLayers(bundle, domain);
    if (layers.length === 0)
      throw new ComityError('bad_config', 'give --global or --domain: the bundle has no document');
    openPolicy({ layers, domain, domainLabel });
  }
}

/** What to know before it is published: where agents will ask for the signature of compliance. */
function loosened({ bundle }: SealedBundle, { previous, domainLabel }: SignOptions): string[] {
  if (bundle.isCanary) return [];
  if (bundle.previous === '') return ['The first bundle that an agent takes needs the signature of compliance.'];
  if (previous === undefined || isDigest(previous)) return [];
  const before = readBundleFile(previous).bundle;
  const looser = domainsOf(before, bundle).filter((domain) =>
    isLooserBeneath(bundleLayers(before, domain), bundleLayers(bundle, domain), { domain, domainLabel }),
  );
  return [
    ...(looser.length === 0
      ? []
      : [`It lets out more in ${looser.join(', ')}: that needs the signature of compliance.`]),
    ...(bundle.expiresMs > before.expiresMs
      ? ['It stays in force for longer than the one before: that needs the signature of compliance.']
      : []),
  ];
}

/** Those that the bundles name, and one for all the others where there is a document for every domain. */
function domainsOf(before: PolicyBundle, after: PolicyBundle): readonly string[] {
  const named = [...new Set([...before.domains.keys(), ...after.domains.keys()])].sort();
  return before.global === undefined && after.global === undefined ? named : [...named, 'every other domain'];
}

function summary({ bundle, signatures }: SealedBundle): string {
  const { version, digest, createdMs, expiresMs, previous, rollbackTo, isCanary, global, domains } = bundle;
  const documents = [...(global === undefined ? [] : ['global']), ...domains.keys()];
  return [
    `version    ${version}${isCanary ? ' (a candidate, never in force)' : ''}`,
    `digest     ${digest}`,
    `previous   ${previous === '' ? '(none)' : previous}`,
    ...(rollbackTo === undefined ? [] : [`rollback   to ${rollbackTo}`]),
    `created    ${timeText(createdMs)}`,
    `expires    ${timeText(expiresMs)}`,
    `documents  ${documents.join(', ')}`,
    `signed by  ${signatures.map(({ keyid }) => keyid).join(', ')}`,
  ].join('\n');
}

function asJson({ bundle, signatures }: SealedBundle): string {
  const { digest, version, createdMs, expiresMs, previous, rollbackTo, isCanary, global, domains } = bundle;
  return JSON.stringify(
    {
      digest,
      version,
      created: timeText(createdMs),
      expires: timeText(expiresMs),
      previous,
      rollback_to: rollbackTo ?? null,
      canary: isCanary,
      documents: { global: global ?? null, domains: Object.fromEntries(domains) },
      signed_by: signatures.map(({ keyid }) => keyid),
    },
    null,
    2,
  );
}
