/*
 * Words and numbers that are in nothing but the places where they were put, so that one of them in anything that crossed the
 * border says what leaked and from where.
 */

/** Canaries and the places of the world where they are. */
export interface Canaries {
  /** A new word of letters and digits. */
  word(place: string): string;
  /** A new number with a fraction: 4711.35 and a bit. */
  number(place: string): number;
  /** A new whole number: 471135 and three digits more. */
  count(place: string): number;
  /** A text that the domain made itself, such as a pseudonym. */
  known(place: string, text: string): void;
  /** The place of the word that begins at an offset of a text in lower case; undefined where none does. */
  wordAt(text: string, offset: number): string | undefined;
  /** The place of a number that is that of a canary, but for what rounding a sum takes from it. */
  placeOf(value: number): string | undefined;
  /** The first word, or else the first number, of a place. */
  first(place: string): string | number;
  /** Texts that `known` was told of. */
  readonly texts: ReadonlyMap<string, string>;
  readonly counts: ReadonlyMap<number, string>;
  readonly size: number;
}

/** What every word begins with; it is in no source text and in no encoding's alphabet by chance. */
export const STEM = 'zqkanari';

/** The first four bytes of every canary number as a float64, the sign first. */
export const NUMBER_HEAD = 0x40b2675a;

/** What every canary number begins with in decimal. */
export const NUMBER_TEXT = '4711.35';
export const COUNT_TEXT = '471135';

/** `world`: canaries of two worlds have no word in common. */
export function canaries(world = 0): Canaries {
  const words = new Map<string, string>();
  const numbers = new Map<number, string>();
  const counts = new Map<number, string>();
  const texts = new Map<string, string>();
  const scratch = new DataView(new ArrayBuffer(8));
  const inWorld = (index: number): number => world * WORLD + index;
  return {
    word(place) {
      const word = `${STEM}${String(inWorld(words.size)).padStart(DIGITS, '0')}q`;
      words.set(word, place);
      return word;
    },
    number(place) {
      scratch.setUint32(0, NUMBER_HEAD);
      // Far apart, and with all bits in use, so that a sum with anything else is another number.
      scratch.setUint32(4, (Math.imul(inWorld(numbers.size) + 1, 0x9e3779b1) >>> 0) | 1);
      const number = scratch.getFloat64(0);
      numbers.set(number, place);
      return number;
    },
    count(place) {
      const count = Number(`${COUNT_TEXT}${String(inWorld(counts.size) % 1000).padStart(3, '0')}`);
      counts.set(count, place);
      return count;
    },
    known: (place, text) => void texts.set(text.toLowerCase(), place),
    wordAt(text, offset) {
      const word = text.slice(offset, offset + STEM.length + DIGITS + 1);
      return words.get(word) ?? `part of a word: ${word}`;
    },
    placeOf(value) {
      const count = counts.get(value);
      if (count !== undefined) return count;
      for (const [number, place] of numbers) if (Math.abs(value - number) <= ROUNDING) return place;
      return undefined;
    },
    first(place) {
      for (const [canary, at] of [...words, ...numbers]) if (at === place) return canary;
      throw new Error(`nothing was put into ${place}`);
    },
    texts,
    counts,
    get size() {
      return words.size + numbers.size + counts.size + texts.size;
    },
  };
}

/** Of a world's own canaries at most. */
const WORLD = 500;
const DIGITS = 4;

/** Canary numbers are thousands of times as far apart. */
const ROUNDING = 1e-9;
