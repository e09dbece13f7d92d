import { LABEL_VALUES_MAX, type AttributeKey, type KeysAnswer, type LabelKey } from '../agent/key-report.ts';
import { checkAdmitWords } from '../policy/admit-rules.ts';
import { prefixForm } from '../policy/name-forms.ts';
import { VALUES_MAX } from '../policy/key-inventory.ts';

/**
 * A policy for a domain by what it has seen: the metrics that there are may leave as aggregates, and no others; public labels
 * of more values than an answer shows stay; names that sound of people are prohibited. All else stands in comments, to be
 * moved by whoever reads it.
 */
export function draftText(seen: KeysAnswer, nowMs: number): string {
  const day = new Date(nowMs).toISOString().slice(0, 10);
  return [
    `# Proposed by "comity policy draft" on ${day}, from names and counts alone. Read it before it comes into force.`,
    'version: 1',
    `domain: ${JSON.stringify(seen.domain)}`,
    '',
    ...labelLines(seen),
    '',
    ...metricLines(seen),
    '',
    ...admitLines(seen),
    '',
  ].join('\n');
}

/** Lines of one kind; what is more is told as a number. */
const LINES_MAX = 200;

/** As many values as an axis of an answer can sensibly have: release shows no more of a public label. */
const AXIS_VALUES_MAX = 200;

/** An attribute with more values than this is likely to tell one from another. */
const FEW_VALUES_MAX = 20;

function labelLines({ labels, labelsCut }: KeysAnswer): string[] {
  const open = labels.filter((label) => label.class === 'public');
  const wide = open.filter(({ name, values }) => values > AXIS_VALUES_MAX && !name.includes('*'));
  const told = open.filter((label) => !wide.includes(label));
  const quasi = labels.filter((label) => label.class === 'quasi');
  const unlisted = labels.filter((label) => label.class === 'local');
  const hidden = labels.filter((label) => label.class === 'subject' || label.class === 'prohibited');
  return [
    'labels:',
    '  # Public by the table: these leave without being listed.',
    ...commented(told, labelNote),
    `  # Public too, but of more than ${AXIS_VALUES_MAX} values: take one out to let it leave.`,
    ...listed('deny', wide, labelNote),
    '  # These leave only where they are listed. Machines, places and numbers:',
    '  permit: []',
    ...commented(quasi, labelNote, '- '),
    '  # Of no table; stored as they are:',
    ...commented(unlisted, labelNote, '- '),
    '  # Stored as pseudonyms; no policy lets them out.',
    ...commented(hidden, labelNote),
    ...(labelsCut ? ['  # There are more labels than could be told.'] : []),
  ];
}

function metricLines({ metrics, metricsCut }: KeysAnswer): string[] {
  const groups = metricGroups(metrics);
  const shown = groups.slice(0, LINES_MAX);
  const left = groups.slice(LINES_MAX).reduce((sum, { count }) => sum + count, 0);
  return [
    '# aggregate: sums, counts and their like leave, single series never. A metric that no line matches stays.',
    ...(shown.length === 0 ? ['metrics: []'] : ['metrics:']),
    ...shown.map(
      ({ match, count }) => `  - { match: ${JSON.stringify(match)}, class: aggregate } # ${metricsText(count)}`,
    ),
    ...(left === 0 ? [] : [`# ${metricsText(left)} more are in no line`]),
    ...(metricsCut ? ['# There are more metrics than could be told.'] : []),
    'default_class: sealed',
  ];
}

function admitLines({ attributes, attributesLeft, labels }: KeysAnswer): string[] {
  const unlisted = labels.filter((label) => label.class === 'local' && isOfPeople(label.name));
  const fits = unlisted.filter(
    ({ name }) => checkAdmitWords({ prohibit: [name], public: [], quasi: [] }, '') === undefined,
  );
  const unknown = attributes.filter(({ entry }) => entry === 'unknown');
  const few = unknown.filter(({ key, values }) => values <= FEW_VALUES_MAX && !isOfPeople(key));
  const many = unknown.filter((attribute) => !few.includes(attribute));
  const hidden = attributes.filter(({ class: kind, entry }) => kind === 'prohibited' && entry !== 'unknown');
  const subjects = attributes.filter(({ class: kind }) => kind === 'subject');
  return [
    'admit:',
    '  # Labels of no table that sound of people: stored as pseudonyms from the next start on.',
    ...listed('prohibit', fits, labelNote),
    '  # Attributes of no table are not stored. These have few values; list one to keep it.',
    '  public: []',
    ...commented(few, attributeNote, '- '),
    '  # These have many, or sound of people; list one here to store it without ever letting it out unlisted.',
    '  quasi: []',
    ...commented(many, attributeNote, '- '),
    '  # Prohibited by the table, and not stored:',
    ...commented(hidden, attributeNote),
    '  # Persons and devices, stored as pseudonyms of the day:',
    ...commented(subjects, attributeNote),
    ...(attributesLeft === 0 ? [] : [`  # ${attributesLeft} looks at attributes found no room.`]),
  ];
}

function commented<T>(
  items: readonly T[],
  note: (item: T) => readonly [name: string, note: string],
  mark = '',
): string[] {
  const lines = items.slice(0, LINES_MAX).map((item) => {
    const [name, text] = note(item);
    return `    # ${mark}${shown(name)} # ${text}`;
  });
  return items.length > LINES_MAX ? [...lines, `    # and ${items.length - LINES_MAX} more`] : lines;
}

function listed<T>(
  field: string,
  items: readonly T[],
  note: (item: T) => readonly [name: string, note: string],
): string[] {
  if (items.length === 0) return [`  ${field}: []`];
  return [
    `  ${field}:`,
    ...items.map((item) => {
      const [name, text] = note(item);
      return `    - ${shown(name)} # ${text}`;
    }),
  ];
}

function labelNote({ name, class: kind, entry, values }: LabelKey): readonly [string, string] {
  const of = kind === 'local' ? 'unlisted' : `${kind} (${entry})`;
  return [name, `${of}, ${valuesText(values, LABEL_VALUES_MAX)}`];
}

function attributeNote({ place, key, entry, values }: AttributeKey): readonly [string, string] {
  return [key, `${entry === 'unknown' ? '' : `${entry}, `}${place}, ${valuesText(values, VALUES_MAX)}`];
}

function valuesText(values: number, max: number): string {
  return `${values >= max ? `${max} values or more` : values === 1 ? '1 value' : `${values} values`}`;
}

function metricsText(count: number): string {
  return count === 1 ? '1 metric' : `${count} metrics`;
}

/** A name as JSON in ASCII: whatever a sender puts into one stays on its line. */
function shown(name: string): string {
  return JSON.stringify(name).replace(/[^ -~]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

interface MetricGroup {
  readonly match: string;
  readonly count: number;
}

/** Metrics by the first word of their names, alone where no other begins with it. */
function metricGroups(metrics: readonly string[]): MetricGroup[] {
  const groups = new Map<string, string[]>();
  for (const name of metrics) {
    // A star in a name would match others, and a pseudonym is no name to decide by.
    if (name.includes('*') || !/^[A-Za-z_]/.test(name)) continue;
    const first = /^[^_:.]*[_:.]/.exec(name)?.[0] ?? name;
    const group = groups.get(first);
    if (group === undefined) groups.set(first, [name]);
    else group.push(name);
  }
  return [...groups].map(([first, names]) => ({
    match: names.length === 1 ? (names[0] ?? first) : `${first}*`,
    count: names.length,
  }));
}

/** Words in names of labels and attributes that a person is behind, more often than not. */
const OF_PEOPLE: ReadonlySet<string> = new Set(
  (
    'customer customers patient user users person member employee visitor subscriber mail email phone mobile birth birthday ' +
    'passport ssn iban card token secret password session firstname lastname surname username login'
  ).split(' '),
);

function isOfPeople(name: string): boolean {
  return prefixForm(name.replace(/([a-z])([A-Z])/g, '$1_$2'))
    .split('_')
    .some((word) => OF_PEOPLE.has(word));
}
