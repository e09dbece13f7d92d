import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { PROJECT_ROOT, type AgentFiles } from './files.ts';
import { federationStatus } from './hub-client.ts';

/** What is proved of what has left a domain. */
export interface Proof {
  readonly domain: string;
  /** Entries of the ledger, every hash of which was worked out anew, and the root that they come to. */
  readonly entries: number;
  readonly root: string;
  /** Entries that the hub knows, by the receipts that came with its answers, to be what they were then. */
  readonly witnessed: number;
  /** The report, as a page for a browser. */
  readonly reportUrl: string;
  /** How people verify the ledger themselves. */
  readonly command: string;
}

/**
 * Takes the ledger's key from the hub, which has verified every receipt with it, and has the domain's ledger verified by that
 * key and a report made of it. Throws where any of that fails.
 */
export async function proveDomain(hubUrl: string, files: AgentFiles): Promise<Proof> {
  const { domain, ledgerPath, reportPath } = files;
  const status = (await federationStatus(hubUrl)).find((one) => one.domain === domain);
  const known = status?.replicas[0]?.ledger ?? undefined;
  if (known === undefined || known.forked) throw new Error(`the hub has no good ledger of ${domain}`);
  const args = ['--domain', domain, '--ledger', ledgerPath, '--keys', known.key, '--html', reportPath, '--json'];
  const { stdout } = await run(process.execPath, [CLI, 'compliance', 'report', ...args], { maxBuffer: REPORT_BYTES });
  const { ledger } = JSON.parse(stdout) as { readonly ledger: { readonly size: number; readonly root: string } };
  return {
    domain,
    entries: ledger.size,
    root: ledger.root,
    witnessed: known.witnessedSize,
    reportUrl: pathToFileURL(reportPath).href,
    command: `bin/comity ledger verify ${ledgerPath} --keys ${known.key}`,
  };
}

/** What was proved, in lines for people. */
export function proofLines({ domain, entries, root, witnessed, reportUrl }: Proof): readonly string[] {
  return [
    `${domain}: every answer came with a receipt that holds; ${entries} ledger entries recomputed, ` +
      `root ${root.slice(0, 12)}…, ${witnessed} witnessed by the hub`,
    reportUrl,
  ];
}

/** Opens a page where there is a desktop; nothing happens where there is none. */
export function openInBrowser(url: string): void {
  const program = process.platform === 'darwin' ? 'open' : 'xdg-open';
  execFile(program, [url], () => undefined);
}

const CLI = join(PROJECT_ROOT, 'src/cli/main.ts');

/** A report of a demo is some tens of kilobytes. */
const REPORT_BYTES = 16 * 1024 * 1024;

const run = promisify(execFile);
