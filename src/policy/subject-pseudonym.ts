import type { DomainKeys } from './domain-key.ts';
import { ownCopy } from './name-forms.ts';
import { pseudonyms, type Pseudonyms } from './pseudonym.ts';

/**
 * Pseudonyms of the people in spans, by attribute key, under a key of the day (UTC) by `now` (ms): a person can be counted
 * within a day, and not followed over days.
 */
export function subjectPseudonyms(keys: DomainKeys, now: () => number): Pseudonyms {
  let day = Number.NaN;
  let today: Pseudonyms;
  const known = new Map<string, Map<string, string>>();
  let size = 0;
  return (key, value) => {
    if (value === '') return '';
    const current = Math.floor(now() / DAY_MS);
    if (current !== day || size >= KNOWN_MAX) {
      known.clear();
      size = 0;
      if (current !== day) today = pseudonyms(keys.derive('span subjects', current));
      day = current;
    }
    const name = SAME_SUBJECT.get(key) ?? key;
    if (value.length > KNOWN_CHARS) return today(name, value);
    let values = known.get(name);
    if (values === undefined) known.set(name, (values = new Map<string, string>()));
    let pseudonym = values.get(value);
    if (pseudonym === undefined) {
      pseudonym = today(name, value);
      values.set(ownCopy(value), pseudonym);
      size++;
    }
    return pseudonym;
  };
}

/** Keys that name the same person: two pseudonyms would count one of them twice, and let a group pass for larger. */
const SAME_SUBJECT: ReadonlyMap<string, string> = new Map([
  ['enduser.id', 'user.id'],
  ['session.previous_id', 'session.id'],
]);

const DAY_MS = 24 * 60 * 60 * 1000;

/** Pseudonyms that are remembered: some megabytes. */
const KNOWN_MAX = 20_000;
const KNOWN_CHARS = 128;
