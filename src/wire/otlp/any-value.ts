import type { AnyValue, KeyValue } from './messages.ts';

/**
 * An attribute's value as text: strings as they are, numbers as JSON writes them, bytes in base64, lists and maps as
 * JSON with sorted keys (https://opentelemetry.io/docs/specs/otel/common/#anyvalue, the non-OTLP representation).
 */
export function valueText(value: AnyValue | undefined): string {
  if (value === undefined) return '';
  if (value.stringValue !== undefined) return value.stringValue;
  if (value.doubleValue !== undefined) return doubleText(value.doubleValue);
  if (value.bytesValue !== undefined) return base64(value.bytesValue);
  if (value.intValue === undefined && value.boolValue === undefined) {
    if (value.arrayValue === undefined && value.kvlistValue === undefined) return '';
    // JSON has no NaN and no infinities: Go's encoder gives up on the whole value then, and Prometheus with it.
    if (hasNonFinite(value)) return '';
  }
  return jsonText(value);
}

/** The order of Unicode code points, which is also that of UTF-8 bytes; JavaScript compares UTF-16 units. */
export function compareCodePoints(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const unitA = a.charCodeAt(i);
    const unitB = b.charCodeAt(i);
    if (unitA !== unitB) return codePointRank(unitA) - codePointRank(unitB);
  }
  return a.length - b.length;
}

/** Surrogates stand for code points above all others. */
function codePointRank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

function jsonText(value: AnyValue | undefined): string {
  if (value === undefined) return 'null';
  if (value.stringValue !== undefined) return jsonString(value.stringValue);
  if (value.boolValue !== undefined) return String(value.boolValue);
  if (value.intValue !== undefined) return String(value.intValue);
  if (value.doubleValue !== undefined) return doubleText(value.doubleValue);
  if (value.bytesValue !== undefined) return jsonString(base64(value.bytesValue));
  if (value.arrayValue !== undefined) return `[${value.arrayValue.values.map(jsonText).join(',')}]`;
  if (value.kvlistValue !== undefined) return jsonObject(value.kvlistValue.values);
  return 'null';
}

function jsonObject(entries: readonly KeyValue[]): string {
  const members = new Map<string, AnyValue | undefined>();
  for (const { key, value } of entries) members.set(key, value);
  const keys = [...members.keys()].sort(compareCodePoints);
  return `{${keys.map((key) => `${jsonString(key)}:${jsonText(members.get(key))}`).join(',')}}`;
}

/** Go's JSON encoder escapes the two line separators that JavaScript's leaves alone. */
function jsonString(text: string): string {
  return JSON.stringify(text).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029');
}

function doubleText(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

function hasNonFinite(value: AnyValue | undefined): boolean {
  if (value === undefined) return false;
  if (value.doubleValue !== undefined) return !Number.isFinite(value.doubleValue);
  if (value.arrayValue !== undefined) return value.arrayValue.values.some(hasNonFinite);
  return value.kvlistValue !== undefined && value.kvlistValue.values.some((entry) => hasNonFinite(entry.value));
}
