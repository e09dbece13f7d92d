import { Option } from 'commander';
import { FEATURE_NAMES } from '../promql/features.ts';

/** `--enable-feature`, as Prometheus has it; its value is a list of names. */
export function enableFeatureOption(): Option {
  return new Option(
    '--enable-feature <names>',
    `an experimental part of PromQL to turn on, or several with commas; may be repeated. There are ${FEATURE_NAMES.join(', ')}`,
  )
    .argParser((names: string, before: readonly string[]) => [...before, ...names.split(',')])
    .default([], 'none');
}
