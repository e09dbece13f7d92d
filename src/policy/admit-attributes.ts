import type { AdmittedAttribute, AdmittedAttributes, AdmittedScalar, AdmittedValue } from '../model/span.ts';
import { valueText } from '../wire/otlp/any-value.ts';
import type { AnyValue, KeyValue } from '../wire/otlp/messages.ts';
import type { CountedAdmission } from './admit.ts';

/** The most attributes of one span, event, link, scope or resource: what SDKs send unless they are told otherwise. */
const ATTRIBUTES_MAX = 128;

/** The most values of one list; the longest of the conventions have a dozen. */
const LIST_VALUES_MAX = 64;

/**
 * What may be kept of attributes: each plain value by the rule of its key, each value of a list of plain values by itself,
 * and of maps, bytes and lists in lists nothing. The first of equal keys counts. A value whose admission fails is dropped.
 */
export function admitAttributes(attributes: readonly KeyValue[], admission: CountedAdmission): AdmittedAttributes {
  const kept: AdmittedAttribute[] = [];
  const seen = new Set<string>();
  let droppedAttributes = 0;
  for (const { key, value } of attributes) {
    const admitted = seen.has(key) || kept.length >= ATTRIBUTES_MAX ? undefined : attribute(key, value, admission);
    seen.add(key);
    if (admitted === undefined) droppedAttributes++;
    else kept.push({ key, value: admitted });
  }
  return { attributes: kept, droppedAttributes };
}

function attribute(key: string, value: AnyValue | undefined, admission: CountedAdmission): AdmittedValue | undefined {
  try {
    const plain = scalarOf(value);
    if (plain !== undefined) return scalar(key, plain, value, admission);
    const fault = listFault(value);
    if (fault === undefined) return list(key, value?.arrayValue?.values ?? [], admission);
    const { class: kind, entry } = admission.attributeRule(key);
    admission.counters.of('attribute', entry, kind === 'prohibited' ? kind : fault, 'dropped').count++;
    return undefined;
  } catch {
    // Nobody knows what it is; the error may hold the value and goes nowhere.
    admission.counters.of('attribute', 'any', 'failed', 'dropped').count++;
    return undefined;
  }
}

/** Why a value that is not plain is not kept whatever its key; undefined for a list of plain values. */
function listFault(value: AnyValue | undefined): string | undefined {
  if (value?.bytesValue !== undefined) return 'bytes';
  if (value?.kvlistValue !== undefined) return 'map';
  if (value?.arrayValue === undefined) return 'no value';
  const { values } = value.arrayValue;
  if (values.length > LIST_VALUES_MAX) return 'length';
  return values.every((one) => scalarOf(one) !== undefined) ? undefined : 'nested';
}

function list(key: string, values: readonly AnyValue[], admission: CountedAdmission): AdmittedValue | undefined {
  const kept: AdmittedScalar[] = [];
  for (const one of values) {
    const plain = scalarOf(one);
    const admitted = plain === undefined ? undefined : scalar(key, plain, one, admission);
    if (admitted !== undefined) kept.push(admitted);
  }
  // An empty list says nothing, and a key that may not be kept says nothing either.
  return kept.length === 0 ? undefined : { type: 'array', value: kept };
}

/** The value with its type where its text is admitted as it is; otherwise the text that stands for it. */
function scalar(
  key: string,
  plain: AdmittedScalar,
  value: AnyValue | undefined,
  admission: CountedAdmission,
): AdmittedScalar | undefined {
  const text = valueText(value);
  const admitted = admission.attribute(key, text);
  if (admitted === undefined) return undefined;
  return admitted === text ? plain : { type: 'string', value: admitted };
}

function scalarOf(value: AnyValue | undefined): AdmittedScalar | undefined {
  if (value?.stringValue !== undefined) return { type: 'string', value: value.stringValue };
  if (value?.boolValue !== undefined) return { type: 'bool', value: value.boolValue };
  if (value?.intValue !== undefined) return { type: 'int', value: value.intValue };
  if (value?.doubleValue !== undefined) return { type: 'double', value: value.doubleValue };
  return undefined;
}
