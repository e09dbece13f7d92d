import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { children, type Expr } from '../../src/promql/ast.ts';
import { AGGREGATES, FUNCTIONS } from '../../src/promql/functions.ts';
import { parseScript } from '../../src/promqltest/parse-script.ts';
import { ScriptError } from '../../src/promqltest/script-line.ts';
import {
  NAMES_AT_ONCE_SCRIPTS,
  OWN_SCRIPTS,
  PUBLIC_SCRIPTS_FOLDER,
  runScripts,
  scriptFeatures,
  scriptsIn,
} from './scripts.ts';

describe.each([0, 2])('with %i shards', (shards) => {
  test.skipIf(!existsSync(PUBLIC_SCRIPTS_FOLDER))('Prometheus’s own scripts pass', { timeout: 120_000 }, async () => {
    const files = scriptsIn(PUBLIC_SCRIPTS_FOLDER);
    const { evaluations, failures } = await runScripts(files, shards, scriptFeatures());
    expect(failures).toEqual([]);
    expect(evaluations).toBeGreaterThan(100);
  });

  test('the scripts of the project pass', { timeout: 60_000 }, async () => {
    const { evaluations, failures } = await runScripts(OWN_SCRIPTS, shards, scriptFeatures());
    expect(failures).toEqual([]);
    expect(evaluations).toBeGreaterThan(400);
  });

  test('the scripts for names that go at once pass', { timeout: 60_000 }, async () => {
    const features = scriptFeatures('promql-delayed-name-removal');
    const { evaluations, failures } = await runScripts(NAMES_AT_ONCE_SCRIPTS, shards, features);
    expect(failures).toEqual([]);
    expect(evaluations).toBeGreaterThan(5);
  });
});

test('names that go at once are not what scripts are run with otherwise', { timeout: 60_000 }, async () => {
  expect((await runScripts(NAMES_AT_ONCE_SCRIPTS, 0, scriptFeatures())).failures).not.toEqual([]);
});

test('the scripts of the project use every function, aggregation, operator and modifier', () => {
  const used = new Set<string>();
  for (const file of OWN_SCRIPTS) {
    for (const command of parseScript(basename(file), readFileSync(file, 'utf8'), scriptFeatures())) {
      if (command.kind !== 'evaluate') continue;
      if (command.expr instanceof ScriptError) throw command.expr;
      collectConstructs(command.expr, used);
    }
  }
  expect([...CONSTRUCTS].filter((construct) => !used.has(construct))).toEqual([]);
});

const CONSTRUCTS: readonly string[] = [
  ...[...FUNCTIONS.keys()].map((name) => `${name}()`),
  ...AGGREGATES.keys(),
  ...'+ - * / % ^ atan2 == != > < >= <= and or unless </ >/'.split(' '),
  ...'bool on ignoring group_left group_right include fill_left fill_right by without'.split(' '),
  ...'offset,negative offset,@,@ start(),@ end(),anchored,smoothed,unary -,unary +'.split(','),
  ...'range,subquery,subquery without a step,computed range,computed step,computed offset'.split(','),
  ...'= =~ !~'.split(' '),
];

function collectConstructs(expr: Expr, used: Set<string>): void {
  const when = (is: boolean, construct: string): void => void (is && used.add(construct));
  switch (expr.kind) {
    case 'call':
      used.add(`${expr.func}()`);
      break;
    case 'aggregate':
      used.add(expr.op);
      when(expr.without, 'without');
      when(!expr.without && expr.grouping.length > 0, 'by');
      break;
    case 'unary':
      used.add(`unary ${expr.op}`);
      break;
    case 'binary': {
      const { op, matching, returnBool } = expr;
      used.add(op);
      when(returnBool, 'bool');
      when(matching?.on === true, 'on');
      when(matching?.on === false && matching.labels.length > 0, 'ignoring');
      when(matching?.card === 'many-to-one', 'group_left');
      when(matching?.card === 'one-to-many', 'group_right');
      when((matching?.include.length ?? 0) > 0, 'include');
      when(matching?.fill?.left !== undefined, 'fill_left');
      when(matching?.fill?.right !== undefined, 'fill_right');
      break;
    }
    case 'matrix':
      used.add('range');
      when(expr.rangeExpr !== undefined, 'computed range');
      break;
    case 'subquery':
      used.add('subquery');
      when(expr.stepMs === undefined && expr.stepExpr === undefined, 'subquery without a step');
      when(expr.stepExpr !== undefined, 'computed step');
      break;
    case 'vector':
      for (const { op } of expr.matchers) used.add(op);
      when(expr.extended !== undefined, expr.extended ?? '');
      break;
    default:
  }
  if (expr.kind === 'vector' || expr.kind === 'subquery') {
    when(expr.offsetMs > 0, 'offset');
    when(expr.offsetMs < 0, 'negative offset');
    when(expr.offsetExpr !== undefined, 'computed offset');
    when(expr.at?.kind === 'time', '@');
    when(expr.at?.kind === 'start', '@ start()');
    when(expr.at?.kind === 'end', '@ end()');
  }
  for (const child of children(expr)) collectConstructs(child, used);
}
