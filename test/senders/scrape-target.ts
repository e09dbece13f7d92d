import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import protobuf from 'protobufjs';

/** A target for scrapes: odd floats and an exemplar in text, native histograms in protobuf under /native. */
export interface Target {
  /** Host and port. */
  readonly address: string;
  /** Takes away a float and a histogram, which makes the scraper write staleness markers. */
  hide(): void;
  close(): Promise<void>;
}

export async function startTarget(): Promise<Target> {
  let hidden = false;
  let scrapes = 0;
  const server = createServer((request, response) => {
    scrapes++;
    const isNative = request.url === '/native';
    response.writeHead(200, { 'content-type': isNative ? PROTOBUF : TEXT });
    response.end(isNative ? natives(scrapes, hidden) : text(scrapes, hidden));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    hide() {
      hidden = true;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const TEXT = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
const PROTOBUF = 'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited';

function text(scrapes: number, hidden: boolean): string {
  const lines = [
    '# HELP odd Values at the edges.',
    '# TYPE odd gauge',
    'odd{what="nan"} NaN',
    'odd{what="inf"} +Inf',
    'odd{what="minus_inf"} -Inf',
    'odd{what="minus_zero"} -0',
    'odd{what="smallest"} 5e-324',
    'odd{what="third"} 0.3333333333333333',
    'odd{what="größe \\"quoted\\""} 1e+308',
    ...(hidden ? [] : ['odd{what="goes away"} 1']),
    '# TYPE requests counter',
    `requests_total ${scrapes} # {trace_id="${scrapes.toString(16).padStart(32, '0')}"} ${scrapes}.5 ${Date.now() / 1000}`,
    '# EOF',
  ];
  return `${lines.join('\n')}\n`;
}

/** A MetricFamily message (prometheus/client_model, metrics.proto) with its length before it. */
function natives(scrapes: number, hidden: boolean): Uint8Array {
  const writer = new protobuf.Writer();
  writer.fork();
  writer.uint32((1 << 3) | 2).string('sizes');
  writer.uint32((2 << 3) | 2).string('Native histograms.');
  // HISTOGRAM
  writer.uint32(3 << 3).uint32(4);
  for (const what of hidden ? ['stays'] : ['stays', 'goes away']) {
    writer.uint32((4 << 3) | 2).fork();
    writer.uint32((1 << 3) | 2).fork();
    writer.uint32((1 << 3) | 2).string('what');
    writer.uint32((2 << 3) | 2).string(what);
    writer.ldelim();
    writer.uint32((7 << 3) | 2).fork();
    histogram(writer, scrapes);
    writer.ldelim().ldelim();
  }
  return writer.ldelim().finish();
}

/** Each scrape sees more observations, and from time to time a new bucket. */
function histogram(writer: protobuf.Writer, scrapes: number): void {
  const buckets = 2 + Math.floor(scrapes / 8);
  const zeroCount = scrapes;
  // Two negative buckets with 1 and 3, the positive ones with `scrapes` each.
  writer.uint32(1 << 3).uint64(zeroCount + 4 + buckets * scrapes);
  writer.uint32((2 << 3) | 1).double(scrapes / 3);
  writer.uint32(5 << 3).sint32(3);
  writer.uint32((6 << 3) | 1).double(1e-128);
  writer.uint32(7 << 3).uint64(zeroCount);
  span(writer, 9, -4, 2);
  for (const delta of [1, 2]) writer.uint32(10 << 3).sint64(delta);
  span(writer, 12, 100, 1);
  span(writer, 12, 3, buckets - 1);
  for (let i = 0; i < buckets; i++) writer.uint32(13 << 3).sint64(i === 0 ? scrapes : 0);
}

function span(writer: protobuf.Writer, field: number, offset: number, length: number): void {
  writer.uint32((field << 3) | 2).fork();
  writer.uint32(1 << 3).sint32(offset);
  writer.uint32(2 << 3).uint32(length);
  writer.ldelim();
}
