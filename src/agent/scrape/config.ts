import Type, { type Static } from 'typebox';
import { resolveBeside } from '../../base/config.ts';
import { ComityError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { RELABEL_ACTIONS, relabelRule, type RelabelRule } from '../../model/relabel.ts';
import { parseDuration } from '../../promql/duration.ts';
import { acceptHeader, contentTypeOf, PROTO_FIRST, SCRAPE_PROTOCOLS, TEXT_FIRST } from '../../wire/scrape/protocols.ts';
import { isDiscoveryFile } from './file-targets.ts';
import { HTTP_FIELDS, resolveHttp } from './http-config.ts';
import type { ScrapeJob } from './job.ts';
import { checkAddress } from './target.ts';
import { refusedFields, refuseUnsupported, UNSUPPORTED_GLOBAL, UNSUPPORTED_JOB } from './unsupported.ts';

const CLOSED = { additionalProperties: false } as const;
const DURATION = Type.Optional(Type.String());
const PROTOCOL = Type.Enum([...SCRAPE_PROTOCOLS]);
const COUNT = Type.Optional(Type.Integer({ minimum: 0 }));
const FLAG = Type.Optional(Type.Boolean());

const RELABEL = Type.Array(
  Type.Object(
    {
      // Prometheus takes the actions in any case.
      action: Type.Optional(Type.String()),
      source_labels: Type.Optional(Type.Array(Type.String())),
      separator: Type.Optional(Type.String()),
      regex: Type.Optional(Type.String()),
      modulus: COUNT,
      target_label: Type.Optional(Type.String()),
      replacement: Type.Optional(Type.String()),
    },
    CLOSED,
  ),
);

/** What `global` and a job have in common: a job's own value comes first. */
const SHARED_FIELDS = {
  scrape_interval: DURATION,
  scrape_timeout: DURATION,
  scrape_protocols: Type.Optional(Type.Array(PROTOCOL, { minItems: 1, uniqueItems: true })),
  /** A number with a unit, such as 10MB; a kilobyte is 1,024 bytes. */
  body_size_limit: Type.Optional(Type.Union([Type.String(), Type.Integer({ minimum: 0 })])),
  sample_limit: COUNT,
  target_limit: COUNT,
  label_limit: COUNT,
  label_name_length_limit: COUNT,
  label_value_length_limit: COUNT,
  scrape_native_histograms: FLAG,
  always_scrape_classic_histograms: FLAG,
  convert_classic_histograms_to_nhcb: FLAG,
  extra_scrape_metrics: FLAG,
};

/** The section `global`: Prometheus's, as far as it is about scraping. */
export const GLOBAL = Type.Object({ ...SHARED_FIELDS, ...refusedFields(UNSUPPORTED_GLOBAL) }, CLOSED);

/** The section `scrape_configs`: Prometheus's (prometheus.io, configuration, scrape_config). */
export const SCRAPE_CONFIGS = Type.Array(
  Type.Object(
    {
      ...SHARED_FIELDS,
      ...HTTP_FIELDS,
      job_name: Type.String({ minLength: 1 }),
      fallback_scrape_protocol: Type.Optional(PROTOCOL),
      metrics_path: Type.Optional(Type.String()),
      scheme: Type.Optional(Type.Enum(['http', 'https'])),
      params: Type.Optional(Type.Record(Type.String(), Type.Array(Type.String()))),
      honor_labels: FLAG,
      honor_timestamps: FLAG,
      track_timestamps_staleness: FLAG,
      enable_compression: FLAG,
      /** The name of `always_scrape_classic_histograms` before Prometheus 3. */
      scrape_classic_histograms: FLAG,
      static_configs: Type.Optional(
        Type.Array(
          Type.Object(
            {
              targets: Type.Optional(Type.Array(Type.String())),
              labels: Type.Optional(Type.Record(Type.String(), Type.String())),
            },
            CLOSED,
          ),
        ),
      ),
      file_sd_configs: Type.Optional(
        Type.Array(
          Type.Object({ files: Type.Array(Type.String(), { minItems: 1 }), refresh_interval: DURATION }, CLOSED),
        ),
      ),
      relabel_configs: Type.Optional(RELABEL),
      metric_relabel_configs: Type.Optional(RELABEL),
      ...refusedFields(UNSUPPORTED_JOB),
    },
    CLOSED,
  ),
);

type Job = Static<typeof SCRAPE_CONFIGS>[number];
type Global = Static<typeof GLOBAL>;

const INTERVAL_MS = 60_000;
const TIMEOUT_MS = 10_000;
const REFRESH_MS = 5 * 60_000;

/**
 * Checks what the schemas cannot, fills in defaults and takes file names from the folder of the configuration file.
 * Throws `bad_config` that names the file and the field.
 */
export function resolveScrapeConfigs(
  raw: { readonly global?: Global | undefined; readonly scrape_configs?: readonly Job[] | undefined },
  configPath: string,
): ScrapeJob[] {
  const { global = {}, scrape_configs: jobs = [] } = raw;
  refuseUnsupported(global, UNSUPPORTED_GLOBAL, `${configPath}: /global`);
  const names = new Set<string>();
  return jobs.map((job, index) => {
    const where = `${configPath}: /scrape_configs/${index}`;
    refuseUnsupported(job, UNSUPPORTED_JOB, where);
    if (names.has(job.job_name))
      refuse(`${where}/job_name`, `there are two jobs named ${JSON.stringify(job.job_name)}`);
    names.add(job.job_name);
    return resolveJob(job, global, configPath, where);
  });
}

function resolveJob(job: Job, global: Global, configPath: string, where: string): ScrapeJob {
  const { intervalMs, timeoutMs } = times(job, global, configPath, where);
  const native = job.scrape_native_histograms ?? global.scrape_native_histograms ?? false;
  const protocols = job.scrape_protocols ?? global.scrape_protocols ?? (native ? PROTO_FIRST : TEXT_FIRST);
  const groups = (job.static_configs ?? []).map(({ targets = [], labels = {} }) => ({ targets, labels }));
  const rules = job.relabel_configs ?? [];
  for (const address of rules.length === 0 ? groups.flatMap((group) => group.targets) : []) {
    within(`${where}/static_configs`, () => checkAddress(address));
  }
  return {
    name: job.job_name,
    intervalMs,
    timeoutMs,
    accept: acceptHeader(protocols),
    compression: job.enable_compression ?? true,
    fallback: job.fallback_scrape_protocol && contentTypeOf(job.fallback_scrape_protocol),
    metricsPath: job.metrics_path || '/metrics',
    scheme: job.scheme ?? 'http',
    params: job.params ?? {},
    honorLabels: job.honor_labels ?? false,
    honorTimestamps: job.honor_timestamps ?? true,
    trackTimestampsStaleness: job.track_timestamps_staleness ?? false,
    histograms: {
      native,
      keepClassic:
        job.always_scrape_classic_histograms ??
        job.scrape_classic_histograms ??
        global.always_scrape_classic_histograms ??
        false,
      toCustomBuckets: job.convert_classic_histograms_to_nhcb ?? global.convert_classic_histograms_to_nhcb ?? false,
    },
    extraMetrics: job.extra_scrape_metrics ?? global.extra_scrape_metrics ?? false,
    groups,
    files: (job.file_sd_configs ?? []).map(({ files, refresh_interval }, index) => {
      const field = `${where}/file_sd_configs/${index}`;
      for (const file of files) {
        if (!isDiscoveryFile(file)) {
          refuse(
            `${field}/files`,
            `${JSON.stringify(file)} must end in .json, .yml or .yaml, with * in its last part only`,
          );
        }
      }
      return {
        patterns: files.map((file) => resolveBeside(configPath, file)),
        refreshMs: duration(refresh_interval, `${field}/refresh_interval`) || REFRESH_MS,
      };
    }),
    relabel: relabelRules(rules, `${where}/relabel_configs`),
    metricRelabel: relabelRules(job.metric_relabel_configs ?? [], `${where}/metric_relabel_configs`),
    targetLimit: job.target_limit || global.target_limit || 0,
    sampleLimit: job.sample_limit || global.sample_limit || 0,
    labelLimit: job.label_limit || global.label_limit || 0,
    labelNameBytes: job.label_name_length_limit || global.label_name_length_limit || 0,
    labelValueBytes: job.label_value_length_limit || global.label_value_length_limit || 0,
    bodyBytes: Math.min(
      bytes(job.body_size_limit, `${where}/body_size_limit`) ||
        bytes(global.body_size_limit, `${configPath}: /global/body_size_limit`) ||
        LIMITS.scrapeBodyBytes,
      LIMITS.scrapeBodyBytes,
    ),
    http: resolveHttp(job, configPath, where),
  };
}

function times(job: Job, global: Global, configPath: string, where: string): { intervalMs: number; timeoutMs: number } {
  const globally = `${configPath}: /global`;
  const globalIntervalMs = duration(global.scrape_interval, `${globally}/scrape_interval`) || INTERVAL_MS;
  const globalTimeoutMs =
    duration(global.scrape_timeout, `${globally}/scrape_timeout`) || Math.min(TIMEOUT_MS, globalIntervalMs);
  if (globalTimeoutMs > globalIntervalMs) refuse(`${globally}/scrape_timeout`, 'is longer than the scrape_interval');
  const intervalMs = duration(job.scrape_interval, `${where}/scrape_interval`) || globalIntervalMs;
  const timeoutMs = duration(job.scrape_timeout, `${where}/scrape_timeout`) || Math.min(globalTimeoutMs, intervalMs);
  if (timeoutMs > intervalMs) refuse(`${where}/scrape_timeout`, 'is longer than the scrape_interval');
  return { intervalMs, timeoutMs };
}

function relabelRules(raw: Static<typeof RELABEL>, where: string): RelabelRule[] {
  return raw.map((rule, index) =>
    within(`${where}/${index}`, () => {
      const name = rule.action?.toLowerCase();
      const action = RELABEL_ACTIONS.find((one) => one === name);
      if (name !== undefined && action === undefined) {
        throw new ComityError('bad_config', `unknown action ${JSON.stringify(rule.action)}`);
      }
      const { source_labels: sourceLabels, target_label: targetLabel, separator, regex, modulus, replacement } = rule;
      return relabelRule({ action, sourceLabels, separator, regex, modulus, targetLabel, replacement });
    }),
  );
}

function duration(text: string | undefined, where: string): number {
  return text === undefined ? 0 : within(where, () => parseDuration(text));
}

const BYTE_UNITS = 'BKMGTPE';

/** Units as Prometheus reads them: KB and KiB are both 1,024 bytes. */
function bytes(size: string | number | undefined, where: string): number {
  if (typeof size !== 'string') return size ?? 0;
  if (size === '0') return 0;
  const match = /^(\d+(?:\.\d+)?)(?:B|([KMGTPE])i?B)$/.exec(size);
  if (match === null) refuse(where, `${JSON.stringify(size)} is no size; write it as 10MB`);
  return Math.floor(Number(match[1]) * 1024 ** BYTE_UNITS.indexOf(match[2] ?? 'B'));
}

function within<T>(where: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    refuse(where, (error as Error).message);
  }
}

function refuse(where: string, text: string): never {
  throw new ComityError('bad_config', `${where}: ${text}`);
}
