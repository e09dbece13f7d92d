import { writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { newKey, signerOf, type NoteSigner } from '../../../src/base/note-key.ts';
import { readBundle, sealBundle, type BundleDraft } from '../../../src/policy/bundle.ts';
import type { Arena, OtherArena } from '../arena.ts';
import { attempt, type Entry } from '../attempt.ts';
import { startBundleServer, type BundleServer } from '../bundle-server.ts';
import { atOnce, Denied, fragmentOf, type HostileHub } from '../hostile-hub.ts';
import { search } from '../search.ts';
import { WORLD_POLICY } from '../world-data.ts';

/** What decides beside the domain's own document: bundles from whoever serves them, and an Open Policy Agent. */
export const POLICY_ENTRIES: readonly Entry[] = [
  {
    name: 'no policy in force',
    isSlow: true,
    attempts: [
      attempt('aggregate', 'no bundle at all', 'policy_denied', async (arena) => {
        const keys = [newKey('compliance')];
        const server = await startBundleServer();
        try {
          const domain = await arena.agent({
            config: bundleConfig(server.url, keys[0]!.vkey, newKey('operator').vkey),
          });
          const denials = await codesOf(arena, domain.hub, ['sum(shop_stock)', 'open_queue', 'sum(secret_balance)']);
          const lists = await Promise.all(
            (['labels', 'series', 'metadata', 'exemplars'] as const).map(async (kind) => {
              const selectors = kind === 'metadata' ? {} : { selectors: ['open_queue'] };
              return codeIn(await domain.hub.list(kind, selectors));
            }),
          );
          const { observedStreams, rawBytesHeld, policyState } = await domain.hub.status();
          await domain.close();
          if (observedStreams + rawBytesHeld > 0)
            return `it tells of ${observedStreams} streams while it is ${policyState}`;
          const other = [...denials, ...lists].find((code) => code !== 'policy_denied');
          return other === undefined ? undefined : `something was answered with ${other}`;
        } finally {
          await server.close();
        }
      }),
      attempt('every', "the domain's own document becomes unreadable", 'policy_denied', unreadable),
    ],
  },
  {
    name: 'a policy that changes while a query is worked on',
    isSlow: true,
    attempts: [
      attempt(
        'aggregate',
        'a policy that changes while a query is worked on',
        '503, to be asked again',
        changedMeanwhile,
      ),
    ],
  },
  {
    name: 'OPA undefined or slow',
    isSlow: true,
    attempts: [attempt('aggregate', 'an OPA that says anything but true', 'vetoed', opaAnswers)],
  },
  {
    name: 'policy rollback, wrong payload type, local loosening',
    isSlow: true,
    attempts: [
      attempt('aggregate', 'bundles that must not be taken', 'the one in force stays', badBundles),
      attempt('sealed', "the domain's own document opens what the bundle seals", 'class_sealed', localLoosening),
    ],
  },
];

const DAY_MS = 86_400_000;
const PAYLOAD_TYPE = 'application/vnd.comity.policy-bundle+json';
const SEALS_STOCK = 'version: 1\ndomain: "*"\nmetrics: [{match: shop_stock, class: sealed}]\n';
const SEALS_MORE =
  'version: 1\ndomain: "*"\nmetrics: [{match: shop_stock, class: sealed}, {match: mute_level, class: sealed}]\n';
const OPENS = 'version: 1\ndomain: "*"\nlabels: {permit: ["*"]}\n';

function bundleConfig(url: string, compliance: string, operator: string): string {
  const keys = [
    { role: 'compliance', key: compliance },
    { role: 'operator', key: operator },
  ];
  return `policy_bundle: ${JSON.stringify({ url, keys, poll_seconds: 0.1 })}`;
}

/** A draft of a bundle that says no more than it must. */
function draft(version: number, previous: string, global: string, more: Partial<BundleDraft> = {}): BundleDraft {
  const now = Date.now();
  const times = { created: new Date(now - DAY_MS).toISOString(), expires: new Date(now + DAY_MS).toISOString() };
  return { version, previous, ...times, documents: { global, domains: {} }, ...more };
}

interface Signers {
  readonly compliance: NoteSigner;
  readonly operator: NoteSigner;
  readonly stranger: NoteSigner;
}

/** An agent with the first bundle in force, which seals shop_stock. */
async function sealedAgent(
  arena: Arena,
  server: BundleServer,
): Promise<{ domain: OtherArena; signers: Signers; first: string }> {
  const keys = { compliance: newKey('compliance'), operator: newKey('operator'), stranger: newKey('compliance') };
  const signers = {
    compliance: signerOf(keys.compliance.skey),
    operator: signerOf(keys.operator.skey),
    stranger: signerOf(keys.stranger.skey),
  };
  const domain = await arena.agent({ config: bundleConfig(server.url, keys.compliance.vkey, keys.operator.vkey) });
  const first = sealBundle(draft(1, '', SEALS_STOCK), [signers.compliance]);
  await server.offer(first);
  const { bundleVersion } = await domain.hub.status();
  if (bundleVersion !== 1) throw new Error(`the first bundle is not in force but ${bundleVersion}`);
  return { domain, signers, first };
}

async function badBundles(arena: Arena): Promise<string | undefined> {
  const server = await startBundleServer();
  try {
    const { domain, signers, first } = await sealedAgent(arena, server);
    const { compliance, operator, stranger } = signers;
    const one = readBundle(first).bundle.digest;
    const opening = draft(2, one, OPENS);
    const offers: readonly (readonly [string, string])[] = [
      ['signed by a key that nobody configured', sealBundle(opening, [stranger])],
      ['looser, and signed by an operator', sealBundle(opening, [operator])],
      ['another payload type in the envelope', retyped(sealBundle(opening, [compliance]), 'application/json')],
      ['signed as another payload type', signedAs('application/vnd.in-toto+json', opening, compliance)],
      ['signed as no payload type at all', signedBare(opening, compliance)],
      ['the signature of another bundle', withPayloadOf(first, opening)],
      ['no signature', JSON.stringify({ ...JSON.parse(first), signatures: [] })],
      ['of the same version', sealBundle(draft(1, '', OPENS), [compliance])],
      ['after another bundle', sealBundle(draft(2, 'ab'.repeat(32), OPENS), [compliance])],
      ['that leaves some out', sealBundle(draft(9, 'cd'.repeat(32), OPENS), [compliance])],
      [
        'expired',
        sealBundle(draft(2, one, OPENS, { expires: new Date(Date.now() - 1_000).toISOString() }), [compliance]),
      ],
      [
        'for longer, and signed by an operator',
        sealBundle(draft(2, one, SEALS_STOCK, { expires: later() }), [operator]),
      ],
      ['a candidate, which only looks on', sealBundle({ ...opening, canary: true }, [compliance])],
      ['whose policy cannot be read', sealBundle(draft(2, one, 'version: 1\ndomain: "*"\nlabel: {}\n'), [compliance])],
      ['a rollback to what never was, by an operator', sealBundle({ ...opening, rollback_to: one }, [operator])],
      ['no JSON', '{"payloadType"'],
      ['nothing', ''],
      ['keys twice', first.replace('"payload":', '"payload":"e30=","payload":')],
    ];
    for (const [what, text] of offers) {
      await server.offer(text);
      const { bundleVersion, policyState } = await domain.hub.status();
      if (bundleVersion !== 1 || policyState !== 'in force')
        return `${what}: version ${bundleVersion} is ${policyState}`;
      const [code] = await codesOf(arena, domain.hub, ['sum(shop_stock)']);
      if (code !== 'class_sealed') return `${what}: a query was answered with ${code}`;
    }
    const second = sealBundle(draft(2, one, SEALS_MORE, { created: opening.created, expires: readExpiry(first) }), [
      operator,
    ]);
    await server.offer(second);
    if ((await domain.hub.status()).bundleVersion !== 2) return 'a stricter bundle of an operator was not taken';
    const two = readBundle(second).bundle.digest;
    for (const [what, text] of [
      ['the first bundle again', first],
      ['the documents of the first as a third', sealBundle(draft(3, two, SEALS_STOCK), [compliance])],
      [
        'the same, as a rollback by an operator',
        sealBundle({ ...draft(3, two, SEALS_STOCK), rollback_to: one }, [operator]),
      ],
    ] as const) {
      await server.offer(text);
      const { bundleVersion } = await domain.hub.status();
      if (bundleVersion !== 2) return `${what}: version ${bundleVersion} is in force`;
    }
    await domain.close();
    return undefined;
  } finally {
    await server.close();
  }
}

async function localLoosening(arena: Arena): Promise<string | undefined> {
  const server = await startBundleServer();
  try {
    const { domain } = await sealedAgent(arena, server);
    const before = await domain.hub.status();
    const open = 'version: 1\ndomain: eu\nlabels: {permit: ["*"]}\nmetrics: [{match: "*", class: open}]\n';
    await writeFile(join(domain.dir, 'policy.yaml'), open);
    for (let i = 0; (await domain.hub.status()).policyDigest === before.policyDigest; i++) {
      if (i > 200) return 'the document is not read again';
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const codes = await codesOf(arena, domain.hub, ['shop_stock', 'sum(shop_stock)', 'sum by (service) (shop_stock)']);
    await domain.close();
    const other = codes.find((code) => code !== 'class_sealed');
    return other === undefined ? undefined : `it was answered with ${other}`;
  } finally {
    await server.close();
  }
}

async function unreadable(arena: Arena): Promise<string | undefined> {
  const domain = await arena.agent({ policy: WORLD_POLICY });
  await writeFile(join(domain.dir, 'policy.yaml'), 'version: 1\ndomain: eu\nlabels: {permits: ["*"]}\n');
  for (let i = 0; (await domain.hub.status()).policyState === 'in force'; i++) {
    if (i > 200) return 'the document is not read again';
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const codes = await codesOf(arena, domain.hub, ['sum(shop_stock)', 'open_queue', 'shop_stock']);
  await domain.close();
  const other = codes.find((code) => code !== 'policy_denied');
  return other === undefined ? undefined : `it was answered with ${other}`;
}

/** An OPA that, before it says yes, waits until another policy is in force. */
async function changedMeanwhile(arena: Arena): Promise<string | undefined> {
  let domain: OtherArena | undefined;
  const server = createServer((_request, response) => {
    void (async () => {
      const before = await domain!.hub.status();
      await writeFile(join(domain!.dir, 'policy.yaml'), `${WORLD_POLICY}  - {match: shop_stock, class: sealed}\n`);
      for (let i = 0; i < 200 && (await domain!.hub.status()).policyDigest === before.policyDigest; i++) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      response.end('{"result":true}');
    })();
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/data/comity/allow`;
  try {
    domain = await arena.agent({ config: `veto: ${JSON.stringify({ opa: { url, timeout_ms: 10_000 } })}` });
    const answer = await codesOf(arena, domain.hub, ['sum(shop_stock)']).catch((error: unknown) => error);
    await domain.close();
    if (answer instanceof Denied && answer.code === 'overloaded') return undefined;
    return `it was answered: ${String(answer)}`;
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

/** What an OPA may say, and whether that lets a query through. */
const OPA_ANSWERS: readonly (readonly [what: string, say: (response: ServerResponse) => void, passes: boolean])[] = [
  ['true', (response) => response.end('{"result":true}'), true],
  ['nothing: the rule is undefined', (response) => response.end('{}'), false],
  ['false', (response) => response.end('{"result":false}'), false],
  ['"true"', (response) => response.end('{"result":"true"}'), false],
  ['1', (response) => response.end('{"result":1}'), false],
  ['{"allow":true}', (response) => response.end('{"result":{"allow":true}}'), false],
  ['[true]', (response) => response.end('[{"result":true}]'), false],
  ['no JSON', (response) => response.end('true'), false],
  ['an error with a true in it', (response) => response.writeHead(500).end('{"result":true}'), false],
  ['too much', (response) => response.end(`{"result":true,"x":"${'x'.repeat(1_000_000)}"}`), false],
  ['nothing, and hangs up', (response) => response.destroy(), false],
  ['nothing in time', (response) => void setTimeout(() => response.end('{"result":true}'), 1_500).unref(), false],
];

async function opaAnswers(arena: Arena): Promise<string | undefined> {
  let say = OPA_ANSWERS[0]![1];
  const asked: Buffer[] = [];
  const server = createServer((request, response) => {
    request.on('data', (chunk: Buffer) => asked.push(chunk));
    request.on('end', () => say(response));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/data/comity/allow`;
  try {
    const domain = await arena.agent({ config: `veto: ${JSON.stringify({ opa: { url, timeout_ms: 300 } })}` });
    for (const [what, next, passes] of OPA_ANSWERS) {
      say = next;
      const wanted = passes ? 'answered' : 'vetoed';
      const codes = await codesOf(arena, domain.hub, ['sum(shop_stock{service="cart"})', 'open_queue']);
      const [verdict] = await domain.hub.explain([fragmentOf('sum(shop_stock)', atOnce(arena.endMs))]);
      codes.push(codeIn(verdict!));
      if (!what.includes('in time')) {
        codes.push(codeIn(await domain.hub.list('labels', { name: 'service' })));
        codes.push(codeIn(await domain.hub.list('series', { selectors: ['open_queue'] })));
        codes.push(codeIn(await domain.hub.list('metadata', {})));
        codes.push(codeIn(await domain.hub.list('exemplars', { selectors: ['open_queue'] })));
      }
      const other = codes.find((code) => code !== wanted);
      if (other !== undefined) return `${what}: it was answered with ${other}: ${codes.join()}`;
    }
    // What the policy has refused is none of its business.
    const [sealed] = await codesOf(arena, domain.hub, ['sum(secret_balance)']);
    if (sealed !== 'class_sealed') return `a sealed metric was answered with ${sealed}`;
    await domain.close();
    const told = search(Buffer.concat(asked), arena.words);
    if (Buffer.concat(asked).includes('"cart"')) return 'the OPA was told the value of a matcher';
    return told.length === 0 ? undefined : `the OPA was told of ${JSON.stringify(told)}`;
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function codesOf(arena: Arena, hub: HostileHub, queries: readonly string[]): Promise<string[]> {
  const answers = await hub.ask(queries.map((query) => fragmentOf(query, atOnce(arena.endMs))));
  return answers.map(codeIn);
}

function codeIn(answer: object): string {
  return 'refusal' in answer ? (answer.refusal as { readonly code: string }).code : 'answered';
}

function later(): string {
  return new Date(Date.now() + 30 * DAY_MS).toISOString();
}

function readExpiry(text: string): string {
  return new Date(readBundle(text).bundle.expiresMs).toISOString();
}

interface Envelope {
  readonly payload: string;
  readonly signatures: readonly object[];
}

function retyped(text: string, payloadType: string): string {
  return JSON.stringify({ ...(JSON.parse(text) as Envelope), payloadType });
}

function withPayloadOf(signed: string, bundle: BundleDraft): string {
  const payload = Buffer.from(JSON.stringify(bundle)).toString('base64');
  return JSON.stringify({ ...(JSON.parse(signed) as Envelope), payload });
}

/** In DSSE's encoding, but of another type; the envelope says the one that agents take. */
function signedAs(type: string, bundle: BundleDraft, signer: NoteSigner): string {
  const payload = Buffer.from(JSON.stringify(bundle));
  return enveloped(
    payload,
    signer,
    Buffer.concat([Buffer.from(`DSSEv1 ${type.length} ${type} ${payload.length} `), payload]),
  );
}

function signedBare(bundle: BundleDraft, signer: NoteSigner): string {
  const payload = Buffer.from(JSON.stringify(bundle));
  return enveloped(payload, signer, payload);
}

function enveloped(payload: Buffer, signer: NoteSigner, message: Uint8Array): string {
  const keyid = signer.vkey.split('+').slice(0, 2).join('+');
  const sig = Buffer.from(signer.sign(message)).toString('base64');
  return JSON.stringify({
    payloadType: PAYLOAD_TYPE,
    payload: payload.toString('base64'),
    signatures: [{ keyid, sig }],
  });
}
