/** Every bound of the system, each with its reason. Hitting one is a typed error that names it. */
export const LIMITS = {
  /** A request body as sent. OTLP exporters batch to about 1 MB; 16 MB leaves room for a backlog. */
  bodyBytes: 16 * 1024 * 1024,
  /** The same body after decompression, against gzip bombs. */
  decompressedBytes: 64 * 1024 * 1024,
  /** Prometheus allows 11,000 steps between the points of a series, which makes one point more. */
  stepsPerQuery: 11_001,
  /**
   * Steps of a subquery, or of a query at a finer one's resolution: a week at a second, or a year at a minute. The points of
   * one series then take 5 MB.
   */
  stepsPerFragment: 610_000,
  /** Characters of a PromQL expression; dashboards' longest are near 10,000. */
  expressionChars: 64 * 1024,
  /** Nesting of a PromQL expression or of a fragment's tree: deeper ones could overflow the stack. */
  expressionDepth: 128,
  /**
   * Cost of the regular expressions of one query, in atoms after repetitions are written out. An address as four times
   * `\d{1,3}` costs 15; what is allowed here compiles within a tenth of a second. Plain alternations cost nothing.
   */
  regexCost: 10_000,
  /** Cost of a request's regular expressions times the characters they are run over: seconds, at the worst. */
  regexWork: 50_000_000,
  /** Series selectors in one request for labels. */
  selectorsPerRequest: 64,
  /** Series that the fragments of one request may touch inside a domain. */
  seriesPerQuery: 500_000,
  /** Series x steps that one request may compute inside a domain: some seconds of work. */
  cellsPerQuery: 200_000_000,
  /** Stored samples that one request may read inside a domain: 10,000 series for a day at 15 s, three times over. */
  samplesPerQuery: 200_000_000,
  /**
   * Bytes of the result of a local query as JSON. Longer texts come near the longest that a string can hold, and no client
   * reads them.
   */
  resultBytes: 256 * 1024 * 1024,
  /** Time that a domain works on one request, whatever the hub allows it. */
  answerMs: 30_000,
  /** Cells (series x steps) that one vector may hold in memory: 50 M cells are 450 MB. */
  cellsPerVector: 50_000_000,
  /** Windows that a hub cuts a long range into: each is a request to the domain. */
  windowsPerQuery: 32,
  /**
   * Points of time that one window reads and answers, over all selectors, per series: a week at 15 s. A thousand series are then
   * 40 million samples, some seconds of a small domain's work.
   */
  pointsPerWindow: 40_320,
  /** Fragments in one federated request. */
  fragmentsPerQuery: 64,
  /** Coverage questions in one federated request: one of the whole query, and one of each `coverage()` in it. */
  coverageQuestions: 16,
  /** Times that one coverage question reads: one for each selector and what stands around it; more are read as one. */
  coverageReads: 256,
  /**
   * Runs of steps in the coverage of one answer, some 60 bytes each: of 16 questions about 11,001 steps with another number of
   * streams at each.
   */
  coverageRuns: 200_000,
  /** Intervals of late changes in one answer: as many as an agent tells apart. */
  lateIntervals: 1_024,
  /** Times that an agent says it missed; older ones are told as one. */
  agentGaps: 32,
  /** Bytes of one domain's answer after decompression. */
  answerBytes: 32 * 1024 * 1024,
  /** Bytes of one entry of a ledger: C2SP tlog-tiles writes their lengths in two bytes. */
  leafBytes: 65_535,
  /** Bytes of a ledger's signed checkpoint, those of its witnesses included. */
  checkpointBytes: 16 * 1024,
  /** Bytes of an answer's receipt: an entry, a checkpoint, a proof, a key. */
  receiptBytes: 128 * 1024,
  /** Sizes between which a hub asks an agent's ledger for proofs at once. */
  ledgerSizes: 32,
  /** Rows of one domain's answer. Each is objects in memory, however few bytes it was. */
  rowsPerAnswer: 200_000,
  /** Kinds of buckets in one group of native histograms: twelve schemas, and some custom bounds. Each meets each other. */
  histogramKindsPerGroup: 512,
  /** Metric names that one group gives as those whose histograms do not add up: an answer shows ten. */
  clashingMetricsPerGroup: 100,
  /** Bins of one sketch at one step: with a relative error of 1 % those of 142 decades. */
  binsPerSketch: 16_384,
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
  /**
   * Gaps remembered of a stream: one a day for a month. Past that the two nearest to each other are told as one. A full
   * agent keeps them in some 200 MB.
   */
  gapsPerStream: 32,
  /** Requests a hub has under way at one domain; a small domain must not be flooded. */
  requestsPerDomain: 8,
  /** Requests that wait at a hub for one domain: thirty dashboards of thirty panels, some MB. */
  queuedPerDomain: 1_000,
  /** Times that a hub sends one question to a domain: what failed twice more will not go better a moment later. */
  triesPerRequest: 3,
  /** Second tries that a hub makes, as a share of a domain's requests: an outage must not be met with a multiple of them. */
  retryShare: 0.2,
  /** Requests that a hub sends to a second replica while the first still works on them, as a share of a domain's requests. */
  hedgeShare: 0.05,
  /** Requests of hubs that an agent works on at once: as many as one hub sends. Its shards answer one after the other anyway. */
  federationConcurrent: 8,
  /** Those that wait for their turn: each is a request of some kilobytes, and a connection. */
  federationQueued: 64,
  /**
   * Samples and cells of all of them: the heaviest request there may be, and an eighth of all beside it that is kept for small
   * ones.
   */
  federationCost: 460_000_000,
  /** How long they wait at most: a third of `answerMs`, so that the work still fits into the rest. */
  federationQueueMs: 10_000,
  /** Bytes of answers to hubs that are made or sent at once: eight of the largest. */
  federationAnswerBytes: 256 * 1024 * 1024,
  /** Series that an agent holds: some 800 bytes of memory each, so 1.6 GB. */
  seriesPerDomain: 2_000_000,
  /** Series that one request may add. The Collector batches 8,192 points by default; the rest is for histograms. */
  newSeriesPerRequest: 50_000,
  /** Series of one metric name in a domain: one service that puts ids into labels must not use up the whole domain. */
  seriesPerMetric: 500_000,
  /** Bytes of request bodies that an agent holds at once: sixteen of the largest. */
  bodyBytesAtOnce: 256 * 1024 * 1024,
  /** Bytes of decoded batches that wait to be stored: what came in while a store was busy for some seconds. */
  appendBytesAtOnce: 256 * 1024 * 1024,
  /** Samples in one request, after classic histograms are taken apart: 64 MB hold no more in any sensible encoding. */
  samplesPerRequest: 1_000_000,
  /** Bounds of one explicit or custom-bucket histogram; each is a series of its own in the classic form. */
  boundsPerHistogram: 512,
  /** Buckets of one native histogram. OpenTelemetry's SDKs make 160, Prometheus's clients are asked for 100 or so. */
  bucketsPerHistogram: 4_096,
  /**
   * Memory for the label sets of one receiver, looked up by their bytes; past it those that were not used for longest are
   * decoded anew. A million series of 300 bytes fit in.
   */
  seriesCacheBytes: 512 * 1024 * 1024,
  /** Exemplars that a domain keeps, the latest: as many as Prometheus by default. */
  exemplars: 100_000,
  /** Bytes of an exemplar's labels, names and values: the bound of OpenMetrics, in characters there. */
  exemplarLabelBytes: 128,
  /** Metric families whose metadata is kept. */
  metadataFamilies: 50_000,
  /** Bytes of a metric's help text; the rest is cut off. */
  helpBytes: 4 * 1024,
  /** Deliveries of delta sums and spans that are remembered, to know them when they come again. */
  deliveries: 100_000,
  /** Bytes of one target's answer to a scrape. */
  scrapeBodyBytes: 64 * 1024 * 1024,
  /** Targets that an agent scrapes. */
  scrapeTargets: 10_000,
  /** Bytes of one answer, as JSON, of the Prometheus that an agent asks: its answer to a hub may have no more either. */
  upstreamAnswerBytes: 64 * 1024 * 1024,
  /** Bytes of raw samples, decompressed, that an agent reads there for one fragment. A sample takes some eleven bytes. */
  upstreamReadBytes: 256 * 1024 * 1024,
  /** Raw samples that it reads there for one fragment: two numbers each in memory. */
  upstreamReadSamples: 20_000_000,
  /** Label sets that it lists there for one question. */
  upstreamSeries: 200_000,
  /** Points that Prometheus gives a series in one answer; longer fragments are asked in pieces. */
  upstreamPointsPerQuery: 11_000,
  /** Times that an evaluation may find that it has to read more. */
  upstreamReadRounds: 8,
  /** External labels of such a server: remote read mixes them with the series' own, and each one doubles the reads. */
  upstreamExternalLabels: 5,
  /** Characters of a list of metric names in a matcher. */
  upstreamNamesChars: 16 * 1024,
} as const;
