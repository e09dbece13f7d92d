import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

/** How the bytes of a field are read. `nanos` are fixed64 times, `id` are bytes that appear as hexadecimal. */
export type FieldKind =
  | 'message'
  | 'string'
  | 'bool'
  | 'double'
  | 'int32'
  | 'uint32'
  | 'sint32'
  | 'fixed32'
  | 'int64'
  | 'uint64'
  | 'fixed64'
  | 'sfixed64'
  | 'nanos'
  | 'bytes'
  | 'id';

export interface FieldSchema {
  /** In lowerCamelCase, as in JSON. */
  readonly name: string;
  readonly kind: FieldKind;
  /** The protobuf wire type of one value. */
  readonly wireType: number;
  readonly repeated: boolean;
  readonly message: MessageSchema | undefined;
  /** Names of the other members of the field's oneof: setting the field clears them. */
  readonly rivals: readonly string[];
}

/** A message type of the `.proto` files as a table, for decoders that check bounds as they go. */
export interface MessageSchema {
  readonly name: string;
  /** By field number; numbers that are not ours are holes. */
  readonly byNumber: readonly (FieldSchema | undefined)[];
  readonly byName: ReadonlyMap<string, FieldSchema>;
  /** A message with nothing set. Copy it: all messages of a type then have one shape in memory. */
  readonly empty: Readonly<Record<string, unknown>>;
}

/** A message under construction; becomes one of the interfaces of `messages.ts`. */
export type MutableMessage = Record<string, unknown>;

/** What a repeated field is until its first value comes; never written to. */
export const NO_VALUES: readonly unknown[] = Object.freeze([]);

const PROTO_DIRECTORY = fileURLToPath(new URL('../../../proto/', import.meta.url));

/** protobuf's wire type of each scalar type. */
const WIRE_TYPES: Readonly<Record<string, number>> = protobuf.types.basic;

const root = loadRoot();
const schemas = new Map<protobuf.Type, MessageSchema>();

export const METRICS_REQUEST = messageSchema('opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest');
export const TRACE_REQUEST = messageSchema('opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest');

/** Messages inside of requests, for decoders that take a request apart themselves. */
export const RESOURCE = messageSchema('opentelemetry.proto.resource.v1.Resource');
export const SCOPE = messageSchema('opentelemetry.proto.common.v1.InstrumentationScope');
export const METRIC = messageSchema('opentelemetry.proto.metrics.v1.Metric');
export const NUMBER_POINT = messageSchema('opentelemetry.proto.metrics.v1.NumberDataPoint');
export const HISTOGRAM_POINT = messageSchema('opentelemetry.proto.metrics.v1.HistogramDataPoint');
export const EXPONENTIAL_POINT = messageSchema('opentelemetry.proto.metrics.v1.ExponentialHistogramDataPoint');
export const SUMMARY_POINT = messageSchema('opentelemetry.proto.metrics.v1.SummaryDataPoint');
export const SPAN = messageSchema('opentelemetry.proto.trace.v1.Span');

/** Encodes a message as protobuf. `message` has the shape of OTLP/JSON, but for ids, which are in base64 or raw bytes. */
export function encodeMessage(typeName: string, message: Record<string, unknown>): Uint8Array {
  const type = root.lookupType(typeName);
  return type.encode(type.fromObject(message)).finish();
}

function loadRoot(): protobuf.Root {
  const loaded = new protobuf.Root();
  loaded.resolvePath = (_origin, target) => `${PROTO_DIRECTORY}${target}`;
  loaded.loadSync([
    'opentelemetry/proto/collector/metrics/v1/metrics_service.proto',
    'opentelemetry/proto/collector/trace/v1/trace_service.proto',
    'google/rpc/status.proto',
  ]);
  loaded.resolveAll();
  return loaded;
}

function messageSchema(typeName: string): MessageSchema {
  return schemaOf(root.lookupType(typeName));
}

function schemaOf(type: protobuf.Type): MessageSchema {
  const known = schemas.get(type);
  if (known !== undefined) return known;
  const byNumber: (FieldSchema | undefined)[] = [];
  const byName = new Map<string, FieldSchema>();
  const empty: MutableMessage = {};
  const schema = { name: type.name, byNumber, byName, empty };
  // Registered before its fields: types may contain themselves, as AnyValue does.
  schemas.set(type, schema);
  for (const field of type.fieldsArray) {
    const entry = fieldSchema(field.resolve());
    byNumber[field.id] = entry;
    byName.set(entry.name, entry);
    empty[entry.name] = defaultOf(field, entry);
  }
  return schema;
}

function fieldSchema(field: protobuf.Field): FieldSchema {
  const resolved = field.resolvedType;
  const message = resolved instanceof protobuf.Type ? schemaOf(resolved) : undefined;
  const scalar = resolved instanceof protobuf.Enum ? 'int32' : field.type;
  const rivals = (field.partOf?.fieldsArray ?? []).filter((other) => other !== field).map((other) => other.name);
  return {
    name: field.name,
    kind: message !== undefined ? 'message' : kindOf(field.name, scalar),
    wireType: message !== undefined ? 2 : WIRE_TYPES[scalar]!,
    repeated: field.repeated,
    message,
    rivals,
  };
}

function kindOf(name: string, scalar: string): FieldKind {
  if (scalar === 'fixed64' && name.endsWith('UnixNano')) return 'nanos';
  if (scalar === 'bytes' && /^(trace|span|parentSpan)Id$/.test(name)) return 'id';
  return scalar as FieldKind;
}

function defaultOf(field: protobuf.Field, entry: FieldSchema): unknown {
  if (entry.repeated) return NO_VALUES;
  if (field.partOf !== null || entry.kind === 'message') return undefined;
  switch (entry.kind) {
    case 'string':
    case 'id':
      return '';
    case 'bool':
      return false;
    case 'nanos':
      return 0n;
    case 'bytes':
      return new Uint8Array(0);
    case 'double':
    case 'int32':
    case 'uint32':
    case 'sint32':
    case 'fixed32':
    case 'int64':
    case 'uint64':
    case 'fixed64':
    case 'sfixed64':
      return 0;
  }
}
