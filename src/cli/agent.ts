import { Command } from 'commander';
import { startAgent } from '../agent/agent.ts';
import { readAgentConfig } from '../agent/config.ts';
import { startSourceAgent } from '../agent/source-agent.ts';
import { hasSource, readSourceAgentConfig } from '../agent/source-config.ts';
import { adminCommands } from './agent-admin.ts';
import { enableFeatureOption } from './enable-feature.ts';
import { serve } from './serve.ts';

/** `comity agent`: runs a domain's agent, and its subcommands ask the one that runs. */
export function agentCommand(): Command {
  const agent = new Command('agent')
    .description(
      'Run the agent of one domain: takes in OTLP and remote write, scrapes targets, keeps all of it, and answers hubs as far as its policy permits. With `source` in its configuration it keeps nothing and answers them from a Prometheus-compatible server of the domain.',
    )
    .requiredOption('-c, --config <file>', 'the agent’s YAML configuration')
    .addOption(enableFeatureOption())
    .action(async ({ config, enableFeature }: { config: string; enableFeature: readonly string[] }) =>
      serve(async (log) =>
        hasSource(config)
          ? startSourceAgent(readSourceAgentConfig(config), log)
          : startAgent(readAgentConfig(config, enableFeature), log),
      ),
    );
  for (const one of adminCommands()) agent.addCommand(one);
  return agent;
}
