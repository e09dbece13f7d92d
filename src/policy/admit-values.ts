import { HTTP_METHODS } from '../trace/span-name.ts';
import type { Detector } from './detectors.ts';
import { ownCopy, rememberByName } from './name-forms.ts';

/** Stands for every public value that may not be stored as it is. */
export const OTHER = '__other__';

/** What a text that stands in the identity of a series, or beside it, was found to hold. */
export type TextFault = 'detector failed' | `detector ${string}`;

/** Why a public value was not kept: a check, or `detector email` and its like. `detector failed` means: drop it. */
export type ValueFault = 'length' | 'pattern' | 'distinct' | 'method' | TextFault;

/** Tells whether a value of one key may be stored as it is; undefined when it may. The empty value may. */
export type ValueCheck = (value: string) => ValueFault | undefined;

/**
 * Checks of public values, one for each key and the same one whenever it is asked for. What a key's check has let pass it
 * lets pass until the process ends: the first values win, so that a sender's noise does not push out what is known.
 * Callers ask for keys of a bounded list.
 */
export function valueChecks(detectors: readonly Detector[], charsMax = CHARS_MAX): (key: string) => ValueCheck {
  const checks = new Map<string, ValueCheck>();
  return (key) => {
    let check = checks.get(key);
    if (check === undefined) checks.set(key, (check = valueCheck(key, detectors, charsMax)));
    return check;
  };
}

/** Code points of a public value: routes and names of classes fit, sentences do not. */
const CHARS_MAX = 64;

/** Code points of a key under a prefix: a label of Kubernetes has a domain before its name. */
export const KEY_CHARS_MAX = 128;

/** Distinct values of one key, as many as an axis of a query's answer can sensibly have. */
const DISTINCT_MAX = 200;

/**
 * Letters, digits, punctuation, symbols and blanks: no control characters, line ends, invisible or direction marks, nor
 * half surrogates. A quotation mark begins a text or a nested value's JSON, and neither is public.
 */
const PATTERN = /^[[\p{L}\p{M}\p{N}\p{P}\p{S} ]--["]]+$/v;

/** The conventions' word for a method that they do not know stands for no client's word and may be kept too. */
const METHODS: ReadonlySet<string> = new Set([...HTTP_METHODS, '_OTHER']);
const METHOD_KEYS: ReadonlySet<string> = new Set(['http.request.method', 'http.method']);

function valueCheck(key: string, detectors: readonly Detector[], charsMax: number): ValueCheck {
  if (METHOD_KEYS.has(key)) return (value) => (value === '' || METHODS.has(value) ? undefined : 'method');
  const passed = new Set<string>();
  const used = detectorsOf(key, detectors);
  return (value) => {
    // Before the look-up, which reads all of the value.
    if (isLong(value, charsMax)) return 'length';
    if (value === '' || passed.has(value)) return undefined;
    if (passed.size >= DISTINCT_MAX) return 'distinct';
    if (!PATTERN.test(value)) return 'pattern';
    const found = detected(value, used);
    if (found === undefined) passed.add(ownCopy(value));
    return found;
  };
}

/** What detectors find in texts that are no attribute's value: labels of series, names, help. */
export function textCheck(detectors: readonly Detector[]): (text: string) => TextFault | undefined {
  return (text) => detected(text, detectors);
}

/** The same for texts that come again and again; the latest are remembered. */
export function rememberedTextCheck(detectors: readonly Detector[]): (text: string) => TextFault | undefined {
  // What is remembered is something: mostly that there is no fault.
  const known = rememberByName((text) => detected(text, detectors) ?? null);
  return (text) => known(text) ?? undefined;
}

/** The detectors for values of a key. */
export function detectorsOf(key: string, detectors: readonly Detector[]): readonly Detector[] {
  const isVersion = key.endsWith('version');
  return detectors.filter((detector) => !isVersion || detector.notInVersions !== true);
}

function isLong(value: string, charsMax: number): boolean {
  if (value.length <= charsMax) return false;
  return value.length > charsMax * 2 || Array.from(value).length > charsMax;
}

function detected(value: string, detectors: readonly Detector[]): TextFault | undefined {
  try {
    for (const { name, find } of detectors) if (find(value)) return `detector ${name}`;
    return undefined;
  } catch {
    // Nobody knows what it is; the error may hold the value and goes nowhere.
    return 'detector failed';
  }
}
