import type { Case } from './generator.ts';
import { children, literal, mapChildren, type Node } from './grammar.ts';
import { shrink } from '../shrink.ts';
import type { When } from './scope.ts';

/** Enough for trees of the generator's size; each attempt asks both sides once or a few times. */
const ATTEMPTS_MAX = 200;

/**
 * The smallest case found that still fails: parts take their wholes' places, modifiers and matchers go, and a range query
 * becomes an instant one. An attempt that makes no sense is an error on both sides, and so does not fail.
 */
export function shrinkCase(failing: Case, fails: (attempt: Case) => Promise<boolean>): Promise<Case> {
  return shrink(failing, smallerCases, fails, ATTEMPTS_MAX);
}

function* smallerCases({ node, when }: Case): Iterable<Case> {
  for (const smaller of smallerTrees(node)) yield { node: smaller, when };
  for (const other of smallerTimes(when)) yield { node, when: other };
}

function* smallerTimes(when: When): Iterable<When> {
  const { lookbackMs, ...rest } = when;
  if (lookbackMs !== undefined) yield rest;
  if (when.kind === 'instant') return;
  const { startMs, endMs, stepMs } = when;
  for (let timeMs = startMs; timeMs <= endMs; timeMs += stepMs) yield { kind: 'instant', timeMs };
  const steps = Math.floor((endMs - startMs) / stepMs);
  if (steps === 0) return;
  yield { ...when, startMs: startMs + Math.ceil(steps / 2) * stepMs };
  yield { ...when, endMs: startMs + Math.floor(steps / 2) * stepMs };
  yield { ...when, startMs: startMs + stepMs };
  yield { ...when, endMs: endMs - stepMs };
}

/** Every tree that is one simplification away, the boldest first. */
function* smallerTrees(node: Node): Iterable<Node> {
  yield* children(node);
  yield* simplified(node);
  const parts = children(node);
  for (const [i, part] of parts.entries()) {
    for (const smaller of smallerTrees(part)) {
      let at = 0;
      yield mapChildren(node, (child) =>
        child === part && at++ === parts.slice(0, i).filter((one) => one === part).length ? smaller : child,
      );
    }
  }
}

function* simplified(node: Node): Iterable<Node> {
  switch (node.kind) {
    case 'selector': {
      const { range, extended, ...instant } = node;
      if (extended !== undefined) yield range === undefined ? instant : { ...instant, range };
      if (range !== undefined && /[^\w]/.test(range)) yield { ...node, range: '5m' };
      for (let i = 0; i < node.matchers.length; i++) {
        if (node.name === undefined && node.matchers.length === 1) break;
        yield { ...node, matchers: node.matchers.toSpliced(i, 1) };
      }
      yield* withSimplerTime(node);
      return;
    }
    case 'subquery':
      if (/[^\w]/.test(node.range)) yield { ...node, range: '5m' };
      if (node.step !== undefined && /[^\w]/.test(node.step)) yield { ...node, step: '1m' };
      yield* withSimplerTime(node);
      return;
    case 'aggregate': {
      const { grouping, ...rest } = node;
      if (grouping === undefined) return;
      yield rest;
      for (let i = 0; i < grouping.labels.length; i++) {
        yield { ...node, grouping: { ...grouping, labels: grouping.labels.toSpliced(i, 1) } };
      }
      return;
    }
    case 'binary': {
      const { matching, bool, bare, ...rest } = node;
      const kept = { ...rest, ...(bool === undefined ? {} : { bool }) };
      if (bare === true) yield { ...kept, ...(matching === undefined ? {} : { matching }) };
      if (matching === undefined) return;
      yield kept;
      const { fill, include, ...joined } = matching;
      if (fill !== undefined) yield { ...node, matching: { ...joined, ...(include === undefined ? {} : { include }) } };
      if (include !== undefined) yield { ...node, matching: { ...joined, ...(fill === undefined ? {} : { fill }) } };
      return;
    }
    case 'literal':
      if (/^[-.\w]{2,}$/.test(node.text)) yield literal(1);
      return;
    case 'call':
    case 'unary':
    case 'paren':
  }
}

function* withSimplerTime<T extends Node & { kind: 'selector' | 'subquery' }>(node: T): Iterable<T> {
  const { at, offset } = node.time;
  if (at !== undefined) yield { ...node, time: offset === undefined ? {} : { offset } };
  if (offset !== undefined) yield { ...node, time: at === undefined ? {} : { at } };
}
