import type { ComityError } from '../base/errors.ts';
import type { Border } from './border.ts';
import type { Asked } from './consumer.ts';
import type { Released } from './released.ts';
import { sealError } from './seal-recorded.ts';

/**
 * The code of an error, without its words: they could tell of the data. `asked`: undefined for whoever has shown no token.
 */
export function releaseError(
  { code }: ComityError,
  asked: Asked | undefined,
  border: Pick<Border, 'policy' | 'recorder'>,
): Promise<Released> {
  return sealError(code, asked, border);
}
