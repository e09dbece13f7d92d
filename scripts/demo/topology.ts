/** The demo's world as data: three domains, the services that run in them and who calls whom. */

/** A call that a route makes to another service, in its own domain where it runs there and across the border otherwise. */
export interface Call {
  readonly service: string;
  readonly method: 'GET' | 'POST';
  readonly path: string;
}

export interface Route {
  readonly method: 'GET' | 'POST';
  /** Path template in OpenTelemetry's `http.route` form; `{id}` stands for one path segment. */
  readonly template: string;
  /** Median of the route's own work in milliseconds, before the domain's factor. */
  readonly medianMs: number;
  readonly calls: readonly Call[];
  /** An order counts money for a customer: the telemetry that the policies keep at home. */
  readonly order?: true;
}

export interface ServiceSpec {
  readonly name: string;
  /** Requests that one instance works on at a time; the others wait in its queue. */
  readonly workers: number;
  readonly routes: readonly Route[];
}

export interface DomainSpec {
  readonly name: string;
  readonly jurisdiction: string;
  readonly services: readonly string[];
  /** Every latency is multiplied by this. */
  readonly latencyFactor: number;
  /** Share of the requests that fail by themselves, 0 to 1. */
  readonly failureRatio: number;
  /** Requests that the load generator sends to the domain in a second. */
  readonly requestsPerSecond: number;
}

/** Running instances of each service in each domain. */
export const INSTANCES_PER_SERVICE = 2;

/** OTLP export interval; short, so that a table redrawn every two seconds shows new numbers. */
export const EXPORT_INTERVAL_MS = 2_000;

export const DOMAINS: readonly DomainSpec[] = [
  {
    name: 'eu-west',
    jurisdiction: 'EU',
    services: ['checkout', 'catalog', 'fraud'],
    latencyFactor: 1,
    failureRatio: 0.01,
    requestsPerSecond: 12,
  },
  {
    name: 'us-east',
    jurisdiction: 'US',
    services: ['checkout', 'catalog', 'payments'],
    latencyFactor: 0.7,
    failureRatio: 0.02,
    requestsPerSecond: 16,
  },
  {
    name: 'ap-south',
    jurisdiction: 'IN',
    services: ['checkout', 'catalog', 'inventory'],
    latencyFactor: 2.2,
    failureRatio: 0.06,
    requestsPerSecond: 8,
  },
];

export const SERVICES: readonly ServiceSpec[] = [
  {
    name: 'checkout',
    workers: 16,
    routes: [
      {
        method: 'POST',
        template: '/orders',
        medianMs: 18,
        order: true,
        calls: [
          { service: 'catalog', method: 'GET', path: '/products/7' },
          { service: 'payments', method: 'POST', path: '/payments' },
        ],
      },
      { method: 'GET', template: '/carts/{id}', medianMs: 8, calls: [] },
    ],
  },
  {
    name: 'catalog',
    workers: 8,
    routes: [
      {
        method: 'GET',
        template: '/products/{id}',
        medianMs: 12,
        calls: [{ service: 'inventory', method: 'GET', path: '/stock/7' }],
      },
      { method: 'GET', template: '/search', medianMs: 45, calls: [] },
    ],
  },
  {
    name: 'payments',
    workers: 8,
    routes: [
      {
        method: 'POST',
        template: '/payments',
        medianMs: 35,
        calls: [{ service: 'fraud', method: 'POST', path: '/assessments' }],
      },
    ],
  },
  {
    name: 'inventory',
    workers: 12,
    routes: [{ method: 'GET', template: '/stock/{id}', medianMs: 4, calls: [] }],
  },
  {
    name: 'fraud',
    workers: 8,
    routes: [{ method: 'POST', template: '/assessments', medianMs: 15, calls: [] }],
  },
];

/** What shoppers ask for, with the share of each in the load. */
export const SHOPPING: readonly { readonly weight: number; readonly call: Call }[] = [
  { weight: 3, call: { service: 'checkout', method: 'POST', path: '/orders' } },
  { weight: 2, call: { service: 'checkout', method: 'GET', path: '/carts/41' } },
  { weight: 3, call: { service: 'catalog', method: 'GET', path: '/products/7' } },
  { weight: 2, call: { service: 'catalog', method: 'GET', path: '/search' } },
];

/** Base URLs of the running instances: domain -> service -> URLs. */
export type Directory = Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;

/** Base URL of an instance of `service`, in `domain` itself when it runs there, else wherever it does. */
export function locate(directory: Directory, domain: string, service: string): string {
  const urls =
    directory[domain]?.[service] ??
    Object.values(directory)
      .map((services) => services[service])
      .find((found) => found !== undefined) ??
    [];
  const url = urls[Math.floor(Math.random() * urls.length)];
  if (url === undefined) throw new Error(`no instance of ${service} runs in any domain`);
  return url;
}
