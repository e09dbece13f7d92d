/** A plain value of an attribute. An int is a number where that is exact, otherwise a bigint. */
export type AdmittedScalar =
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'bool'; readonly value: boolean }
  | { readonly type: 'int'; readonly value: number | bigint }
  | { readonly type: 'double'; readonly value: number };

/** Lists hold plain values alone; maps and bytes are never admitted. */
export type AdmittedValue = AdmittedScalar | { readonly type: 'array'; readonly value: readonly AdmittedScalar[] };

export interface AdmittedAttribute {
  readonly key: string;
  readonly value: AdmittedValue;
}

/** What is kept of a list of attributes: each key once, and how many the admission left out. */
export interface AdmittedAttributes {
  readonly attributes: readonly AdmittedAttribute[];
  readonly droppedAttributes: number;
}

/**
 * A span as a domain may keep it. Ids are lower-case hexadecimal; the span's own name, its status message and its trace state
 * have no place here. Dropped counts are those of the admission, not the sender's.
 */
export interface AdmittedSpan extends AdmittedAttributes {
  /** 32 digits, not all zero. */
  readonly traceId: string;
  /** 16 digits, not all zero. */
  readonly spanId: string;
  /** Empty for a root span. */
  readonly parentSpanId: string;
  /** The W3C trace flags and the two bits that say whether the parent is remote. */
  readonly flags: number;
  /** Made of admitted attributes. */
  readonly name: string;
  /** OTLP's number; 0 where the sender's is none of them. */
  readonly kind: number;
  readonly startTimeUnixNano: bigint;
  readonly endTimeUnixNano: bigint;
  /** OTLP's number; 0 where the sender's is none of them. */
  readonly statusCode: number;
  readonly events: readonly AdmittedEvent[];
  readonly droppedEvents: number;
  readonly links: readonly AdmittedLink[];
  readonly droppedLinks: number;
}

export interface AdmittedEvent extends AdmittedAttributes {
  readonly timeUnixNano: bigint;
  /** A name of the conventions, or `__other__`. */
  readonly name: string;
}

export interface AdmittedLink extends AdmittedAttributes {
  readonly traceId: string;
  readonly spanId: string;
  readonly flags: number;
}

export interface AdmittedScope extends AdmittedAttributes {
  readonly name: string;
  readonly version: string;
  /** Of the conventions themselves; otherwise empty. */
  readonly schemaUrl: string;
  readonly spans: readonly AdmittedSpan[];
}

/** The spans of one resource. */
export interface AdmittedResource extends AdmittedAttributes {
  /** Of the conventions themselves; otherwise empty. */
  readonly schemaUrl: string;
  readonly scopes: readonly AdmittedScope[];
}
