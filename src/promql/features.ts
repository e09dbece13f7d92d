import { ComityError } from '../base/errors.ts';

/** The experimental parts of PromQL, each off unless it is enabled by Prometheus's name for it. */
export interface PromqlFeatures {
  /** `promql-experimental-functions`: functions and aggregations that may still change. */
  readonly experimentalFunctions: boolean;
  /** `promql-extended-range-selectors`: the modifiers `anchored` and `smoothed`. */
  readonly extendedRangeSelectors: boolean;
  /** `promql-binop-fill-modifiers`: `fill`, `fill_left` and `fill_right`. */
  readonly fillModifiers: boolean;
  /** `promql-delayed-name-removal`: metric names go at the end of the evaluation rather than function by function. */
  readonly delayedNameRemoval: boolean;
  /** `use-start-timestamps`: rate, irate, increase and resets know when a counter started. */
  readonly startTimestamps: boolean;
  /** `type-and-unit-labels`: the labels `__type__` and `__unit__` tell what a metric is. */
  readonly typeAndUnitLabels: boolean;
  /**
   * No name enables this: a start time that is the one before is a reset where it lies behind the sample before, as up to
   * Prometheus 3.14; since 3.15 what stays is no reset.
   */
  readonly keptStartsReset: boolean;
  /** No name enables this either: `coverage(expr)`, which only a hub can answer; see `hubFeatures`. */
  readonly coverageFunction: boolean;
}

const NAMES: ReadonlyMap<string, keyof PromqlFeatures | undefined> = new Map([
  ['promql-experimental-functions', 'experimentalFunctions'],
  ['promql-extended-range-selectors', 'extendedRangeSelectors'],
  ['promql-binop-fill-modifiers', 'fillModifiers'],
  ['promql-delayed-name-removal', 'delayedNameRemoval'],
  ['use-start-timestamps', 'startTimestamps'],
  ['type-and-unit-labels', 'typeAndUnitLabels'],
  // Always on, as in Prometheus since 3.15.
  ['promql-duration-expr', undefined],
]);

export const FEATURE_NAMES: readonly string[] = [...NAMES.keys()];

export const NO_FEATURES: PromqlFeatures = featuresFrom([]);
export const ALL_FEATURES: PromqlFeatures = featuresFrom(FEATURE_NAMES);

/** What a hub offers: the features that are enabled, and what only a hub can answer. */
export function hubFeatures(enabled: PromqlFeatures): PromqlFeatures {
  return { ...enabled, coverageFunction: true };
}

/** All that any hub may offer. */
export const ALL_HUB_FEATURES: PromqlFeatures = hubFeatures(ALL_FEATURES);

/** The features of these names; one may be a list with commas. Throws `bad_data` for a name that is none. */
export function featuresFrom(names: readonly string[]): PromqlFeatures {
  const features: { -readonly [Name in keyof PromqlFeatures]: boolean } = {
    experimentalFunctions: false,
    extendedRangeSelectors: false,
    fillModifiers: false,
    delayedNameRemoval: false,
    startTimestamps: false,
    typeAndUnitLabels: false,
    keptStartsReset: false,
    coverageFunction: false,
  };
  for (const name of names.flatMap((list) => list.split(','))) {
    if (!NAMES.has(name)) {
      throw new ComityError(
        'bad_data',
        `there is no feature ${JSON.stringify(name)}. There are ${FEATURE_NAMES.join(', ')}`,
      );
    }
    const feature = NAMES.get(name);
    if (feature !== undefined) features[feature] = true;
  }
  return features;
}
