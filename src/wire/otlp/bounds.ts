/** Bounds of one OTLP request in memory; the bounds of its bytes are in `LIMITS`. */
export const OTLP_LIMITS = {
  /**
   * Messages and list elements of one request. Two bytes on the wire can make an object of 200 bytes in memory, so bytes
   * alone do not bound it. A batch of 8,192 points with 15 attributes each has 250,000.
   */
  elements: 1_000_000,
  /** Nested messages; protobuf's own libraries stop at the same depth. An attribute's list in a list takes four. */
  depth: 100,
  /** The same for JSON, which nests an array and an object for each repeated message. */
  jsonDepth: 200,
  /** Objects, arrays and members of a JSON request: an attribute takes four. */
  jsonValues: 4_000_000,
  /**
   * Members of one JSON object, of which the largest message has some twenty. An object of millions makes a table that
   * takes seconds to fill.
   */
  jsonMembers: 1_000,
} as const;
