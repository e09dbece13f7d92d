import type { Random } from '../random.ts';

const WORDS = (
  'up sum by without on ignoring group_left bool offset and or unless atan2 start end fill fill_left step range max_of ' +
  'anchored smoothed inf nan info rate ( ) { } [ ] [5m] [5m:] [1h:1m] , : = == != =~ !~ < > </ >/ + - * / % ^ @ () "a" \'b\' ' +
  '`c` {a="b"} 0x1F 1e3 .5 1_0 5m 1h30m 08 # \n " \\ é . _ e 1 0 (1) (5m) step() offset(1)'
).split(' ');

const CHARACTERS = Array.from('abms015.:_eExX"\'`\\(){}[],=!~<>+-*/%^@# \n\u00a0é\u{1f600}');
const TOKENS = /\s+|"(?:[^"\\\n]|\\.)*"|[\w.:]+|[=!<>]=|[=!]~|[\s\S]/gu;

/** A text with one to three edits: of tokens (left out, put in, exchanged, doubled) or of single characters. */
export function editedText(text: string, random: Random): string {
  let edited = text;
  for (let left = random.int(1, 3); left > 0; left--) {
    edited = random.chance(0.7) ? editTokens(edited, random) : editCharacters(edited, random);
  }
  return edited;
}

function editTokens(text: string, random: Random): string {
  const tokens: string[] = text.match(TOKENS) ?? [''];
  const at = random.int(0, Math.max(0, tokens.length - 1));
  const other = random.int(0, Math.max(0, tokens.length - 1));
  const token = tokens[at] ?? '';
  switch (random.int(0, 3)) {
    case 0:
      return tokens.toSpliced(at, 1).join('');
    case 1:
      return tokens.toSpliced(at, 0, random.pick(['', ' ']) + random.pick(WORDS) + random.pick(['', ' '])).join('');
    case 2:
      return tokens
        .with(at, tokens[other] ?? '')
        .with(other, token)
        .join('');
    default:
      return tokens.toSpliced(at, 0, token).join('');
  }
}

function editCharacters(text: string, random: Random): string {
  const at = random.int(0, text.length);
  const character = random.pick(CHARACTERS);
  return text.slice(0, at) + (random.chance(0.5) ? character : '') + text.slice(at + random.int(0, 1));
}
