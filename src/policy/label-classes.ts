import { NO_WORDS, wordRules, type AdmitWords, type WordRules } from './admit-words.ts';
import { attributeRuleOfLabel, UNKNOWN_ATTRIBUTE } from './attribute-classes.ts';
import type { AttributeClass } from './attribute-table.ts';
import { prefixForm, rememberByName, withoutExported, wordForm } from './name-forms.ts';

/**
 * What a label of a metric may be used for: the classes of attributes, and two more. `structural`: part of what every
 * series is, stays always. `local`: of nobody knows what; stored as it is, and never leaves.
 */
export type LabelClass = AttributeClass | 'structural' | 'local';

export interface LabelRule {
  readonly class: LabelClass;
  /** The entry of a table that fits; `unlisted` where none does. Never a sender's word. */
  readonly entry: string;
}

/** Whether the value of a label of the class is replaced by a pseudonym in what is stored. */
export function isReplaced(kind: LabelClass): boolean {
  return kind === 'subject' || kind === 'prohibited';
}

/** The rules for the labels of series in which the label `domainLabel` names the domain, under what a policy adds to them. */
export function labelRules(
  domainLabel: string,
  words: AdmitWords = NO_WORDS,
): (label: string, metric: string) => LabelRule {
  const added = wordRules(words);
  const ofResource = rememberByName(
    (label) => knownLabelRule(label, domainLabel, added) ?? added.liftsLabel(label) ?? UNKNOWN_ATTRIBUTE,
  );
  const ofAny = rememberByName((label) => ({
    rule: knownLabelRule(label, domainLabel, added) ?? added.liftsLabel(label) ?? UNLISTED,
    harmlessIn: added.prohibits(label) === undefined ? harmlessIn(label) : undefined,
  }));
  return (label, metric) => {
    if (RESOURCE_METRICS.has(metric)) return ofResource(label);
    const { rule, harmlessIn: metrics } = ofAny(label);
    return metrics?.some((prefix) => metric.startsWith(prefix)) === true ? HARMLESS : rule;
  };
}

/**
 * Labels that are known in Prometheus's world and are no attribute of OpenTelemetry by another spelling. The replaced ones
 * are words for what the table of attributes replaces: addresses of clients, paths and queries, texts, people, secrets.
 */
export const LABELS: Readonly<Record<AttributeClass, readonly string[]>> = {
  public: words(`
    service namespace env environment region cluster version revision branch goversion release
    method verb code status status_code status_class handler route operation action mode cpu state type kind result
    outcome reason severity level phase direction protocol exception event cause area pool span_name span_kind client
    server connection_type alertname alertstate scrape_job mechanism integration slice interval resource group
  `),
  quasi: words(`
    pod pod_name pod_ip internal_ip container image image_id node nodename host hostname device
    interface mountpoint fstype uid zone rack shard replica queue topic partition consumergroup database datname schema
    table index deployment statefulset daemonset replicaset configmap secret_name persistentvolumeclaim storageclass
    workload team rule_group receiver remote_name listener_name dialer_name config
  `),
  subject: words(`
    user username_hash uid_hash customer_id member_id subscriber_id patient_id employee_id visitor_id account_user
    session device_uuid imei imsi msisdn advertising_id
  `),
  prohibited: words(`
    email mail email_address mail_address login login_name full_name first_name last_name given_name
    family_name surname nickname display_name user_display_name person
    phone phone_number telephone mobile_number ssn social_security_number national_id passport passport_number tax_id
    iban account_number card card_number credit_card pan cvv birthday birthdate date_of_birth dob
    street street_address postal_address home_address postcode zip zipcode
    latitude longitude lat lon lng coordinates geolocation geohash
    ip ip_address ipaddr ipv4 ipv6 client_ip client_ip_address client_addr client_host remote_addr remote_address
    remote_ip remote_host source_ip src_ip src_addr peer_ip peer_address user_ip caller_ip origin_ip forwarded_for
    x_forwarded_for x_real_ip
    user_agent referer referrer cookie set_cookie authorization auth_header
    password passwd pwd passphrase secret token access_token refresh_token id_token auth_token bearer bearer_token
    session_token api_key access_key secret_key private_key credential credentials jwt otp pin
    query query_string sql sql_text sql_query statement query_text digest_text search_term
    search_query url uri path full_url request_url request_uri request_path http_path http_uri target_url url_path_query
    request_body response_body body payload message msg error_msg
    stacktrace cmdline command_line prompt completion
  `),
};

/** Annotations as kube-state-metrics names them hold any text. */
const ANNOTATION_PREFIX = 'annotation_';
const ANNOTATION: LabelRule = { class: 'prohibited', entry: 'annotation_*' };

/**
 * Well-known metrics in which a name of the table means something else, by the beginning of their names: the address that a
 * Prometheus writes to, the tenant that Cortex calls user, the paths of rules and templates.
 */
const HARMLESS_IN: ReadonlyMap<string, readonly string[]> = new Map([
  ['url', ['prometheus_remote_storage_', 'rest_client_']],
  ['user', ['cortex_', 'mimir_', 'loki_', 'tempo_', 'thanos_', 'prometheus_']],
  ['path', ['kube_ingress_', 'nginx_ingress_controller_']],
  ['uri', ['http_server_requests_', 'http_client_requests_']],
  ['secret', ['kube_']],
  ['filename', ['prometheus_sd_file_']],
]);

/** Their labels are the attributes of a resource, of which unknown ones are prohibited. */
const RESOURCE_METRICS: ReadonlySet<string> = new Set(['target_info', 'traces_target_info']);

const STRUCTURAL: ReadonlySet<string> = new Set(['__name__', 'le', 'quantile', 'job']);

const STRUCTURE: LabelRule = { class: 'structural', entry: 'structural' };
/** Who produces a series; it names one process, as `service.instance.id` does. */
const PRODUCER: LabelRule = { class: 'quasi', entry: 'instance' };
const HARMLESS: LabelRule = { class: 'local', entry: 'harmless here' };
const UNLISTED: LabelRule = { class: 'local', entry: 'unlisted' };

/** OTLP receivers put the attributes of an instrumentation's scope on each of its series under this prefix. */
const SCOPE_PREFIX = 'otel_scope_';

const FORMS: ReadonlyMap<string, LabelRule> = new Map(
  (['public', 'quasi', 'subject', 'prohibited'] as const).flatMap((kind) =>
    LABELS[kind].map((entry) => [wordForm(entry), { class: kind, entry }] as const),
  ),
);

function knownLabelRule(label: string, domainLabel: string, added: WordRules): LabelRule | undefined {
  if (STRUCTURAL.has(label) || label === domainLabel) return STRUCTURE;
  const own = withoutExported(label);
  if (own === 'job' || own === 'instance') return PRODUCER;
  const prohibited = added.prohibits(label);
  if (prohibited !== undefined) return prohibited;
  const rule = attributeRuleOfLabel(label) ?? FORMS.get(wordForm(label));
  if (rule !== undefined) return rule;
  const form = prefixForm(label);
  if (form.startsWith(SCOPE_PREFIX)) {
    const scoped = form.slice(SCOPE_PREFIX.length);
    return added.prohibits(scoped) ?? attributeRuleOfLabel(scoped) ?? added.liftsLabel(scoped) ?? UNKNOWN_ATTRIBUTE;
  }
  return form.startsWith(ANNOTATION_PREFIX) ? ANNOTATION : undefined;
}

function harmlessIn(label: string): readonly string[] | undefined {
  return HARMLESS_IN.get(withoutExported(label));
}

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}
