import { writeFile } from 'node:fs/promises';
import { startOracle, type Oracle } from '../../oracle/oracle.ts';

/** A Prometheus that scrapes. */
export interface ScrapingOracle extends Oracle {
  /** The data of an answer of its API; `params` are of the query. */
  api<T>(path: string, params?: Readonly<Record<string, string>>): Promise<T>;
  /** Replaces its configuration. */
  configure(config: string): Promise<void>;
}

/** Starts one with a configuration of its own, in YAML: unlike other oracles it takes no samples out of order. */
export async function startScrapingOracle(config: string): Promise<ScrapingOracle> {
  const oracle = await startOracle({ args: ['--web.enable-lifecycle'] });
  async function api<T>(path: string, params: Readonly<Record<string, string>> = {}): Promise<T> {
    const response = await fetch(`${oracle.url}/api/v1/${path}?${new URLSearchParams(params).toString()}`);
    const answer = (await response.json()) as { status: string; data: T; error?: string };
    if (answer.status !== 'success') throw new Error(`${path}: ${answer.error}`);
    return answer.data;
  }
  try {
    const { 'config.file': path } = await api<{ 'config.file': string }>('status/flags');
    const configure = async (text: string): Promise<void> => {
      await writeFile(path, text);
      const reload = await fetch(`${oracle.url}/-/reload`, { method: 'POST' });
      if (!reload.ok) throw new Error(`the oracle refuses its configuration: ${await reload.text()}`);
    };
    await configure(config);
    return { ...oracle, api, configure };
  } catch (error) {
    await oracle.close();
    throw error;
  }
}

/** Labels as text that is equal for equal ones. */
export function sorted(labels: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)));
}
