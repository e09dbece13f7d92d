import { inThisProcess } from './bench.ts';
import { CHECKS } from './checks.ts';
import { disable } from './disable.ts';
import { openGraph } from './graphs.ts';
import { ENTRIES } from './list.ts';
import { readOptions, type Options } from './options.ts';
import { REAL_PROCESSES } from './processes.ts';
import { runRedTeam } from './run.ts';

/** Of what somebody noticed: an answer that shows too much may show very much. */
const SAID_CHARS = 240;

const options = readOptions(process.argv.slice(2));
try {
  process.exitCode = await run(options);
} catch (error) {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`the red team could not run: ${text}\n`);
  process.exitCode = 2;
}

async function run({
  cases,
  seed,
  list,
  listChecks,
  disable: names,
  inProcess,
  quick,
  json,
}: Options): Promise<number> {
  if (list)
    return print(
      ENTRIES.flatMap(({ name, attempts, pending }) => [
        ...attempts.map(({ attacks, what, wants }) => `${name}\t${attacks}\t${what}\t${wants}`),
        ...(pending === undefined ? [] : [`${name}\tpending\t${pending}`]),
      ]),
    );
  if (listChecks) {
    return print(CHECKS.map(({ name, edits: [{ file }], stops }) => `${name.padEnd(24)}${file.padEnd(36)}${stops}`));
  }
  if (names !== undefined) return takeOut(names);
  const here = await inThisProcess(openGraph('none', []));
  const programs = inProcess ? here : REAL_PROCESSES;
  const others = quick ? here : programs;
  const outcome = await runRedTeam(programs, { cases, seed, others }, (line) => void process.stderr.write(`${line}\n`));
  const { attempts, pending, sent, rows, codes, messages, bytes, canaries, notices } = outcome;
  if (json) print([JSON.stringify(outcome)]);
  else {
    print([
      `seed ${seed}: ${attempts} attempts of the list, ${sent} generated fragments, ${rows} rows let out to them`,
      ...Object.entries(codes).map(([code, times]) => `  ${code.padEnd(32)}${times}`),
      `${canaries} canaries looked for in ${messages} messages of ${bytes} bytes`,
      `pending ${pending}`,
      `not as it should be ${notices.length}, of which leaks ${notices.filter(({ said }) => said.startsWith('a leak')).length}`,
    ]);
  }
  return notices.length === 0 ? 0 : 1;
}

async function takeOut(names: readonly string[]): Promise<number> {
  const all = names.includes('all');
  const unknown = names.find((name) => name !== 'all' && !CHECKS.some((check) => check.name === name));
  if (unknown !== undefined) throw new Error(`there is no check ${unknown}; see --list-checks`);
  let isEachNoticed = true;
  for (const check of CHECKS) {
    if (!all && !names.includes(check.name)) continue;
    const { noticed } = await disable(check);
    if (noticed === undefined) isEachNoticed = false;
    const said = noticed === undefined ? 'nobody noticed' : `${noticed.entry} / ${noticed.attempt}: ${noticed.said}`;
    print([`${check.name}: ${said.split('\n')[0]!.slice(0, SAID_CHARS)}`]);
  }
  return isEachNoticed ? 1 : 2;
}

function print(lines: readonly string[]): number {
  process.stdout.write(`${lines.join('\n')}\n`);
  return 0;
}
