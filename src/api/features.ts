import { ComityError, messageOf } from '../base/errors.ts';
import { featuresFrom, type PromqlFeatures } from '../promql/features.ts';

/** The features that a configuration names under `features`. Throws `bad_config` for a name that is none. */
export function configuredFeatures(names: readonly string[], path: string): PromqlFeatures {
  try {
    return featuresFrom(names);
  } catch (error) {
    throw new ComityError('bad_config', `${path}: /features: ${messageOf(error)}`, { cause: error });
  }
}
