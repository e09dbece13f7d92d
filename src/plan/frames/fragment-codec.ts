import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { messageCodec } from '../../base/proto.ts';
import type { StepGrid } from '../../model/grid.ts';
import { isPartialOp } from '../../partial/algebra.ts';
import { assertRelativeError } from '../../partial/sketch-keys.ts';
import type { Fragment } from '../distribute.ts';
import { decodeExpr, encodeExpr, UnknownPart } from './expr-codec.ts';
import type { ExprMessage } from './expr-message.ts';
import type { Refusal } from './refusal-codec.ts';

/** A fragment that this version cannot read; the others of the request are answered all the same. */
export interface UnreadFragment {
  readonly answer: 'unread';
  /** `unsupported`, and by name what could not be read: `function foo`, `Expr field 23`, `aggregation x`. */
  readonly refusal: Refusal;
}

export type AskedFragment = Fragment | UnreadFragment;

const fragmentCodec = messageCodec<FragmentMessage>('federation.proto', 'comity.federation.v1.Fragment');

export function encodeFragment(fragment: Fragment): Uint8Array {
  const { answer, expr, grid } = fragment;
  const relativeError = fragment.answer === 'sketch' ? fragment.relativeError : 0;
  return fragmentCodec.encode({ answer, expr: encodeExpr(expr), grid, relativeError });
}

/**
 * Reads one fragment. What this version does not know makes it unread; what no version could mean throws `bad_data`, and
 * what is larger than any fragment `limit`.
 */
export function decodeFragment(bytes: Uint8Array): AskedFragment {
  const field = fragmentCodec.unknownField(bytes);
  if (field !== undefined) return unread(field);
  try {
    return readFragment(fragmentCodec.decode(bytes));
  } catch (error) {
    if (error instanceof UnknownPart) return unread(error.part);
    throw error;
  }
}

/** A fragment that has something in it which this version does not know. */
export function unread(name: string): UnreadFragment {
  return { answer: 'unread', refusal: { code: 'unsupported', name: name.slice(0, LIMITS.labelBytes) } };
}

interface FragmentMessage {
  answer: string;
  expr: ExprMessage | null;
  grid: StepGrid | null;
  relativeError: number;
}

function readFragment({ answer, expr: message, grid, relativeError }: FragmentMessage): Fragment {
  assertGrid(grid, 'Fragment');
  const expr = decodeExpr(message);
  switch (answer) {
    case 'vector':
      return { answer, expr, grid };
    case 'timed':
      if (expr.kind !== 'vector') throw new ComityError('bad_data', 'only a selector has times');
      return { answer, expr, grid };
    case 'partial':
      if (expr.kind !== 'aggregate' || !isPartialOp(expr.op)) {
        throw new ComityError('bad_data', 'only an aggregation of the algebra has a partial');
      }
      return { answer, expr, grid };
    case 'sketch':
      if (expr.kind !== 'aggregate' || expr.op !== 'quantile' || expr.param?.kind !== 'number') {
        throw new ComityError('bad_data', 'only a quantile by a number has a sketch');
      }
      assertRelativeError(relativeError);
      return { answer, expr, grid, relativeError };
    default:
      throw new UnknownPart(`answer ${answer}`);
  }
}

/** Throws `bad_data` for a grid that the steps of nothing can be. `message`: what has it. */
export function assertGrid(grid: StepGrid | null, message: string): asserts grid is StepGrid {
  const broken = (what: string): ComityError => new ComityError('bad_data', `malformed ${message}: ${what}`);
  if (grid === null || grid.steps < 1 || grid.steps > LIMITS.stepsPerFragment || grid.stepMs < 1) {
    throw broken('its grid');
  }
  const { startMs, stepMs, endMs } = grid;
  const pastMs = startMs + stepMs * grid.steps;
  if (!Number.isSafeInteger(startMs) || !Number.isSafeInteger(pastMs)) throw broken('times that none can be');
  if (endMs !== undefined && !(endMs >= startMs && endMs <= pastMs)) throw broken('the end of its grid');
}
