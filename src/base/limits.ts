/** Every bound of the system, each with its reason. Hitting one is a typed error that names it. */
export const LIMITS = {
  /** A request body as sent. OTLP exporters batch to about 1 MB; 16 MB leaves room for a backlog. */
  bodyBytes: 16 * 1024 * 1024,
  /** The same body after decompression, against gzip bombs. */
  decompressedBytes: 64 * 1024 * 1024,
  /** Prometheus answers no query with more points a series than this, and Grafana relies on it. */
  stepsPerQuery: 11_000,
  /** Characters of a PromQL expression; dashboards' longest are near 10,000. */
  expressionChars: 64 * 1024,
  /** Nesting of a PromQL expression or of a fragment's tree: deeper ones could overflow the stack. */
  expressionDepth: 128,
  /**
   * Cost of compiling the regular expressions of one query, in atoms after repetitions are written out. An address as four
   * times `\d{1,3}` costs 15; what is allowed here compiles within a fraction of a second.
   */
  regexCost: 200_000,
  /** Series that one fragment may touch inside a domain. */
  seriesPerQuery: 500_000,
  /** Cells (series x steps) that one vector may hold in memory: 50 M cells are 450 MB. */
  cellsPerVector: 50_000_000,
  /** Fragments in one federated request. */
  fragmentsPerQuery: 64,
  /** Bytes of one domain's answer after decompression. */
  answerBytes: 64 * 1024 * 1024,
  /** Names or values that a label request may return; Grafana asks for 40,000. */
  labelValues: 40_000,
  /** Label names and values longer than this are rejected at ingest. */
  labelBytes: 4 * 1024,
  /** Labels on one series. */
  labelsPerSeries: 64,
  /** Samples further in the future than this are rejected: they would block the series for honest ones. */
  futureMs: 10 * 60 * 1000,
  /** Streams (producers of telemetry) remembered per agent. */
  streams: 100_000,
  /** Requests a hub has under way at one domain; a small domain must not be flooded. */
  requestsPerDomain: 8,
} as const;
