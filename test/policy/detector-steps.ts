/**
 * Prints, as JSON lines, how many steps regular expressions take for each detector on texts of growing length. Steps are
 * characters passed over and times that V8's matcher went back, which it tells when it is given a limit: no clock is asked.
 * Run it with --allow-natives-syntax.
 */
import { DETECTORS } from '../../src/policy/detectors.ts';
import { prefixForm, wordForm } from '../../src/policy/name-forms.ts';
import { randomFrom } from '../random.ts';

type Limited = (source: string, flags: string, backtracks: number) => RegExp;

// eslint-disable-next-line typescript/no-implied-eval -- the syntax is V8's own
const limited = new Function('s', 'f', 'n', 'return %NewRegExpWithBacktrackLimit(s, f, n)') as Limited;

const plainExec = RegExp.prototype.exec;
const made = new Map<string, RegExp>();
let steps = 0;

/** With a last alternative that always matches at the end, so that no match at all means: too many steps. */
function variant(source: string, flags: string, backtracks: number): RegExp {
  const key = `${backtracks}/${flags}/${source}`;
  let found = made.get(key);
  if (found === undefined) made.set(key, (found = limited(`(?:${source})|$(?![^])`, flags, backtracks)));
  return found;
}

function backtracksOf(regex: RegExp, text: string, from: number): number {
  const flags = regex.flags.replace('y', '').replace('g', '');
  // A sticky expression tries one place: the rest of the text is none of its business.
  const source = regex.sticky ? `^(?:${regex.source})` : regex.source;
  const rest = regex.sticky ? text.slice(from) : text;
  for (let limit = 1; limit < 2 ** 30; limit *= 2) {
    const one = variant(source, `${flags}g`, limit);
    one.lastIndex = regex.sticky ? 0 : from;
    if (plainExec.call(one, rest) !== null) return limit;
  }
  throw new Error(`${regex.source} never ends`);
}

function countingExec(this: RegExp, text: string): RegExpExecArray | null {
  const from = this.global || this.sticky ? this.lastIndex : 0;
  const result = plainExec.call(this, text);
  const passed = result === null ? (this.sticky ? 1 : text.length - from) : result.index + result[0].length - from;
  steps += 1 + Math.max(passed, 0) + backtracksOf(this, text, from);
  return result;
}

/** Texts that make scanners go back: runs of what a detector looks for, never quite complete, and mixtures. */
function texts(length: number): string[] {
  const random = randomFrom(7);
  const pieces = [
    'a',
    '@',
    'a@',
    'a@b.',
    '%40',
    '.',
    ' ',
    '1',
    '4111 ',
    '4111',
    '1 ',
    '-',
    'DE89 ',
    'DE',
    'NO93 8601 ',
    '1.',
    '1.1.',
    ':',
    '::',
    'a:',
    'eyJ',
    'eyJ.',
    'eyJaaaaaaaa.',
    '+',
    '+1',
    '+(',
    '(415) ',
    '415-',
    '415-555-',
    'a_',
    '_',
    'U__',
    '_2e',
    'exported_',
    '_dot_',
    'ä',
    '😀',
    '"',
  ];
  const mixed = Array.from({ length: 10 }, () => {
    const chosen = random.subset(pieces, 0.15);
    return chosen.length === 0 ? ['x'] : chosen;
  });
  return [...pieces.map((piece) => [piece]), ...mixed].map((chosen) => {
    let text = '';
    for (let i = 0; text.length < length; i++) text += chosen[i % chosen.length];
    return text.slice(0, length);
  });
}

const BAD = [
  { name: 'planted square', find: (text: string) => text.startsWith('aaa') && /a*a*b/.test(text) },
  { name: 'planted nest', find: (text: string) => text.startsWith('aaa') && /^(a+)+b/.test(text.slice(0, 18)) },
];
const FORMS = [
  { name: 'word form', find: (text: string) => wordForm(text) === '' },
  { name: 'prefix form', find: (text: string) => prefixForm(text) === '' },
];
const SIZES = [256, 512];

RegExp.prototype.exec = countingExec;
for (const { name, find } of [...DETECTORS, ...FORMS, ...BAD]) {
  const bySize = SIZES.map((size) =>
    texts(size).map((text) => {
      steps = 0;
      find(text);
      return steps;
    }),
  );
  let growth = 0;
  for (const [i, larger] of bySize.slice(1).entries()) {
    // Fewer steps than characters say nothing.
    for (const [k, now] of larger.entries()) growth = Math.max(growth, now / Math.max(bySize[i]![k]!, SIZES[i]!));
  }
  const stepsPerChar = Math.max(...bySize.at(-1)!) / SIZES.at(-1)!;
  process.stdout.write(`${JSON.stringify({ name, growth, stepsPerChar })}\n`);
}
