import { basename } from 'node:path';
import type { EgressClass } from '../policy/egress-class.ts';
import type { PromqlFeatures } from '../promql/features.ts';
import { openDatabase } from '../promqltest/database.ts';
import type { Command } from '../promqltest/command.ts';
import type { Rules } from '../promqltest/run-script.ts';
import { drawFrom } from './draw.ts';
import { openFederation } from './federation.ts';
import { runFederated, type FormReport } from './run-federated.ts';
import { splitData } from './split.ts';

export interface ScriptsOptions {
  readonly domains: number;
  readonly shards: number;
  readonly seed: number;
  readonly egressClass: EgressClass;
  readonly kill: number;
  readonly rules: Rules;
  readonly features: PromqlFeatures;
  readonly inOneMode?: boolean;
}

/** A federation and a union of it for scripts to run on, one after the other. */
export interface FederatedScripts {
  /**
   * Runs one script on empty stores. `file` decides with the seed what goes where; `report` gets what became of each
   * evaluation and, for people, where the series are. Throws `ScriptError`.
   */
  run(
    file: string,
    commands: readonly Command[],
    report: (report: FormReport, split: () => readonly string[]) => void,
  ): Promise<void>;
  close(): Promise<void>;
}

export async function openFederatedScripts(options: ScriptsOptions): Promise<FederatedScripts> {
  const { domains, shards, egressClass, features } = options;
  const union = await openDatabase({ shards, features });
  const federation = await openFederation({ domains, shards, egressClass, features }).catch(async (error: unknown) => {
    await union.close();
    throw error;
  });
  const draw = drawFrom(options.seed);
  return {
    async run(file, commands, report) {
      const data = splitData(federation, union, draw, basename(file));
      await data.clear();
      await runFederated(commands, { ...options, data, draw }, (one) => report(one, data.listing));
    },
    async close() {
      await Promise.all([federation.close(), union.close()]);
    },
  };
}
