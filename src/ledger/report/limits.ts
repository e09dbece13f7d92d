/** A control of a framework and what of the report speaks to it. */
export interface Control {
  readonly framework: string;
  readonly control: string;
  readonly evidence: string;
}

/** Which controls the sections are evidence for. Evidence is not compliance: whether it suffices, an auditor says. */
export const CONTROLS: readonly Control[] = [
  {
    framework: 'GDPR',
    control: 'Art. 5(1)(c), data minimisation',
    evidence: 'What was removed at ingest; What left',
  },
  {
    framework: 'GDPR',
    control: 'Art. 5(2), accountability',
    evidence: 'How to check this report',
  },
  {
    framework: 'GDPR',
    control: 'Art. 30(1)(d) and (e), recipients and transfers',
    evidence: 'What left, by destination',
  },
  {
    framework: 'GDPR',
    control: 'Art. 44, transfers to third countries',
    evidence: 'What left, by destination; What was refused',
  },
  {
    framework: 'ISO/IEC 27001:2022',
    control: 'A.5.14, information transfer',
    evidence: 'What left; Policies',
  },
  {
    framework: 'ISO/IEC 27001:2022',
    control: 'A.8.11, data masking',
    evidence: 'What was removed at ingest',
  },
  {
    framework: 'ISO/IEC 27001:2022',
    control: 'A.8.15, logging',
    evidence: 'How to check this report',
  },
  {
    framework: 'ISO/IEC 27001:2022',
    control: 'A.8.32, change management',
    evidence: 'Policies',
  },
  {
    framework: 'SOC 2',
    control: 'CC6.7, transmission of information',
    evidence: 'What left; What was refused',
  },
];

/** What the report does not say, in plain words. */
export function limitsOf({
  groupsOfOne,
  witnesses,
}: {
  readonly groupsOfOne: number;
  readonly witnesses: number;
}): readonly string[] {
  return [
    'An aggregate is not automatically anonymous. A sum over few series, or two answers that differ by one series, can tell ' +
      'of that one.',
    groupsOfOne === 0
      ? 'Where a policy says min_series: 1, a group of one series is let out with the value of that series. In this period ' +
        'no metric left under such a rule.'
      : 'Metrics under min_series: 1 let a group of one series out, with the value of that series under its permitted ' +
        'labels. The ledger does not record how many series a group had, as that number could itself tell of someone; so ' +
        'each such metric is to be read as one whose single series may have been seen.',
    'Differences between allowed answers (a total less one of its parts) are not bounded for aggregate metrics.',
    'The ledger records that an answer left and what it was about, never its values. Whether a receiver passed it on is not ' +
      'known here.',
    'Names of metrics and labels leave as they are. Someone who writes a person’s name into the name of a metric puts it ' +
      'out of reach of redaction.',
    'Redaction goes by tables of names and by forms that detectors know. What neither knows is kept inside the domain, ' +
      'and what is written into a permitted label as plain words leaves with it.',
    witnesses === 0
      ? 'No independent witness has cosigned this ledger’s checkpoint. Whoever holds the ledger’s key could have written ' +
        'another history and shown it to nobody who had seen this one.'
      : 'The witnesses say that this ledger’s history was not rewritten since they first saw it. They cannot say that ' +
        'everything was recorded; that rests on the agent’s program.',
    'Consumers stand under pseudonyms that only this domain can resolve. Who sat behind a hub when it asked is not recorded.',
    'Times are those of the agent’s clock, cut to the minute.',
    'This report is evidence for the controls that it names. It does not claim that any law or standard is complied with.',
  ];
}
