import { Command } from 'commander';
import { readHubConfig } from '../hub/config.ts';
import { startHub } from '../hub/hub.ts';
import { enableFeatureOption } from './enable-feature.ts';
import { serve } from './serve.ts';

/** `comity hub`: runs the central query layer. */
export function hubCommand(): Command {
  return new Command('hub')
    .description('Run a hub: Prometheus’s HTTP API over all domains, from what their borders let out.')
    .requiredOption('-c, --config <file>', 'the hub’s YAML configuration')
    .addOption(enableFeatureOption())
    .action(async ({ config, enableFeature }: { config: string; enableFeature: readonly string[] }) =>
      serve((log) => startHub(readHubConfig(config, enableFeature), log)),
    );
}
