import Type from 'typebox';
import { ComityError } from '../../base/errors.ts';

/** Fields that Prometheus knows: they are in the schema so that they are refused as what they are. */
export const UNSUPPORTED_GLOBAL = {
  evaluation_interval: 'rules are not evaluated here',
  rule_query_offset: 'rules are not evaluated here',
  external_labels: 'every series carries the domain label instead',
  query_log_file: '',
  scrape_failure_log_file: 'failures are in the log of the agent',
  keep_dropped_targets: '',
  metric_name_validation_scheme: 'all UTF-8 names are taken',
  metric_name_escaping_scheme: 'all UTF-8 names are taken',
};

export const UNSUPPORTED_JOB = {
  ...Object.fromEntries(
    (
      'azure consul digitalocean dns docker dockerswarm ec2 eureka gce hetzner http ionos kubernetes kuma lightsail ' +
      'linode marathon nerve nomad openstack outscale ovhcloud puppetdb scaleway serverset stackit triton uyuni vultr aws'
    )
      .split(' ')
      .map((kind) => [`${kind}_sd_configs`, 'write the targets into a file for file_sd_configs']),
  ),
  oauth2: '',
  proxy_url: '',
  no_proxy: '',
  proxy_from_environment: '',
  proxy_connect_header: '',
  enable_http2: 'targets are scraped over HTTP/1.1',
  native_histogram_bucket_limit: '',
  native_histogram_min_bucket_factor: '',
  scrape_failure_log_file: 'failures are in the log of the agent',
  keep_dropped_targets: '',
  metric_name_validation_scheme: 'all UTF-8 names are taken',
  metric_name_escaping_scheme: 'all UTF-8 names are taken',
};

/** Schemas for the fields. */
export function refusedFields<T extends Record<string, string>>(
  reasons: T,
): { [K in keyof T]: ReturnType<typeof anything> } {
  return Object.fromEntries(Object.keys(reasons).map((name) => [name, anything()])) as {
    [K in keyof T]: ReturnType<typeof anything>;
  };
}

function anything() {
  return Type.Optional(Type.Unknown());
}

/** Throws `bad_config` for the first field of `section` that is in `reasons`. */
export function refuseUnsupported(section: object, reasons: Readonly<Record<string, string>>, where: string): void {
  for (const name of Object.keys(section)) {
    if (!Object.hasOwn(reasons, name)) continue;
    const reason = reasons[name] === '' ? '' : `; ${reasons[name]}`;
    throw new ComityError(
      'bad_config',
      `${where}/${name}: Prometheus has this field, Comity does not support it${reason}`,
    );
  }
}
