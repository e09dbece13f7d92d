import { invalid } from '../../api/params.ts';
import { messageOf } from '../../base/errors.ts';
import { parseFloatStrict } from '../../base/numbers.ts';
import { assertRelativeError } from '../../partial/sketch-keys.ts';

/** The relative error that a caller allows `quantile`: `approx=0.01`. Throws `bad_data` naming the parameter. */
export function approxParam(params: URLSearchParams): number | undefined {
  const text = params.get('approx');
  if (text === null || text === '') return undefined;
  const relativeError = text.length > CHARS_MAX ? NaN : (parseFloatStrict(text) ?? NaN);
  try {
    assertRelativeError(relativeError);
  } catch (error) {
    throw invalid('approx', messageOf(error), error);
  }
  return relativeError;
}

/** No sensible number is longer. */
const CHARS_MAX = 32;
