import type { Metadata } from '../model/batch.ts';
import { METRIC_NAME } from '../model/labels.ts';
import type { AdmitCounts } from './admit-counts.ts';
import { rememberedTextCheck, textCheck, type TextFault } from './admit-values.ts';
import type { Detector } from './detectors.ts';
import { rememberByName } from './name-forms.ts';
import type { Pseudonyms } from './pseudonym.ts';

/** What becomes of names, which are mostly code and now and then data, and of what is said of metric families. */
export interface NameAdmission {
  /** The name, or a pseudonym where a detector finds something in it: whatever has the name stays itself. */
  metric(name: string): string;
  label(name: string): string;
  /** Without what detectors find; undefined for a family whose name is stored as a pseudonym. */
  metadata(family: Metadata): Metadata | undefined;
}

export function nameAdmission(
  detectors: readonly Detector[],
  pseudonym: Pseudonyms,
  counts: AdmitCounts,
): NameAdmission {
  const textFault = textCheck(detectors);
  // A sender says the same of a family with every request.
  const saidFault = rememberedTextCheck(detectors);

  function named(kind: 'metric' | 'label'): (name: string) => string {
    const stored = rememberByName((name) => {
      const fault = nameFault(name, textFault);
      return fault === undefined
        ? null
        : { count: counts.of('name', kind, fault, 'pseudonym'), pseudonym: pseudonym(NAME_OF[kind], name) };
    });
    return (name) => {
      const found = stored(name);
      if (found === null) return name;
      found.count.count++;
      return found.pseudonym;
    };
  }

  function said(rule: 'help' | 'unit', text: string): string {
    const fault = text === '' ? undefined : saidFault(text);
    if (fault === undefined) return text;
    counts.of('metadata', rule, fault, 'dropped').count++;
    return '';
  }

  const metric = named('metric');
  return {
    metric,
    label: named('label'),
    metadata(family) {
      if (metric(family.metric) !== family.metric) return undefined;
      const help = said('help', family.help);
      const unit = said('unit', family.unit);
      return help === family.help && unit === family.unit ? family : { ...family, help, unit };
    },
  };
}

/** The names under which pseudonyms of names are made: no label has the second. */
const NAME_OF = { metric: METRIC_NAME, label: '' } as const;

/** In a name, words that a text parts by blanks are parted by underscores. */
function nameFault(name: string, faultOf: (text: string) => TextFault | undefined): TextFault | undefined {
  return faultOf(name) ?? (name.includes('_') ? faultOf(name.replaceAll('_', ' ')) : undefined);
}
