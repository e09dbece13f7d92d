import { expect, test } from 'vitest';
import { attributeRule, attributeRuleOfLabel } from '../../src/policy/attribute-classes.ts';
import { ATTRIBUTES } from '../../src/policy/attribute-table.ts';
import { LABELS, labelRules } from '../../src/policy/label-classes.ts';
import { rememberByName, wordForm } from '../../src/policy/name-forms.ts';
import { labelName } from '../../src/wire/otlp/names.ts';

const entries = Object.entries(ATTRIBUTES).flatMap(([kind, keys]) => keys.map((key) => ({ kind, key })));

test('no key is in two classes, and public keys are written out', () => {
  const keys = entries.map(({ key }) => key);
  expect(keys.filter((key, i) => keys.indexOf(key) !== i)).toEqual([]);
  expect(keys.filter((key) => !/^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*(\.\*)?$/.test(key))).toEqual([]);
  expect(ATTRIBUTES.public.filter((key) => key.includes('*'))).toEqual([]);
  expect(ATTRIBUTES.subject.filter((key) => key.includes('*'))).toEqual([]);
});

test('every entry is found by its key, and by the label that OTLP makes of it', () => {
  for (const { kind, key } of entries) {
    const example = key.replace('.*', '.some_thing');
    expect(attributeRule(example), example).toEqual({ class: kind, entry: key });
    const name = labelName(example)!;
    for (const label of [name, `exported_${name}`, `exported_exported_${name}`, example]) {
      expect(attributeRuleOfLabel(label)?.class, label).toBe(kind);
    }
  }
});

test('labels of metrics are not listed where the table of attributes decides', () => {
  const listed = Object.values(LABELS).flat();
  const forms = listed.map(wordForm);
  expect(listed.filter((_, i) => forms.indexOf(forms[i]!) !== i)).toEqual([]);
  expect(listed.filter((label) => attributeRuleOfLabel(label) !== undefined)).toEqual([]);
});

test.each<[key: string, kind: string, entry: string]>([
  ['http.route', 'public', 'http.route'],
  ['rpc.method', 'public', 'rpc.method'],
  ['rpc.user', 'prohibited', 'unknown'],
  ['rpc.grpc.request.metadata.x-token', 'prohibited', 'rpc.grpc.request.metadata.*'],
  ['host.name', 'quasi', 'host.*'],
  ['host', 'prohibited', 'unknown'],
  ['hosts.name', 'prohibited', 'unknown'],
  ['k8s.pod.name', 'quasi', 'k8s.pod.*'],
  ['k8s.pod.label.app', 'quasi', 'k8s.pod.*'],
  ['k8s.pod.annotation.owner', 'prohibited', 'k8s.pod.annotation.*'],
  ['k8s.pod.annotations.owner', 'prohibited', 'k8s.pod.annotations.*'],
  ['k8s.gateway.annotation.owner', 'prohibited', 'unknown'],
  ['container.command_args', 'prohibited', 'container.command_args'],
  ['user.id', 'subject', 'user.id'],
  ['enduser.id', 'subject', 'enduser.id'],
  ['enduser.scope', 'prohibited', 'enduser.*'],
  ['geo.location.lat', 'prohibited', 'geo.*'],
  ['gen_ai.prompt', 'prohibited', 'gen_ai.*'],
  ['gen_ai.request.model', 'public', 'gen_ai.request.model'],
  ['http.request.header.cookie', 'prohibited', 'http.request.header.*'],
  ['process.command_line', 'prohibited', 'process.command_line'],
  ['HTTP.Route', 'prohibited', 'unknown'],
  ['', 'prohibited', 'unknown'],
  ['.', 'prohibited', 'unknown'],
  ['__proto__', 'prohibited', 'unknown'],
  [`geo.${'x'.repeat(100_000)}`, 'prohibited', 'geo.*'],
])('the attribute %.40s', (key, kind, entry) => expect(attributeRule(key)).toEqual({ class: kind, entry }));

const ruleOf = labelRules('domain');

test.each<[label: string, kind: string, metric?: string]>([
  ['__name__', 'structural'],
  ['le', 'structural'],
  ['quantile', 'structural'],
  ['job', 'structural'],
  ['domain', 'structural'],
  ['instance', 'quasi'],
  ['exported_job', 'quasi'],
  ['exported_instance', 'quasi'],
  ['exported_domain', 'local'],
  ['service', 'public'],
  ['handler', 'public'],
  ['http_route', 'public'],
  ['http.route', 'public'],
  ['server_address', 'quasi'],
  ['pod_ip', 'quasi'],
  ['shop_floor', 'local'],
  ['id', 'local'],
  ['name', 'local'],
  ['user_id', 'subject'],
  ['user.id', 'subject'],
  ['userId', 'subject'],
  ['USER_ID', 'subject'],
  ['U__user_2e_id', 'subject'],
  ['user_dot_id', 'subject'],
  ['exported_user_id', 'subject'],
  ['session', 'subject'],
  ['email', 'prohibited'],
  ['user_email', 'prohibited'],
  ['userEmail', 'prohibited'],
  ['username', 'prohibited'],
  ['password', 'prohibited'],
  ['token', 'prohibited'],
  ['ip', 'prohibited'],
  ['clientIP', 'prohibited'],
  ['client_address', 'prohibited'],
  ['query', 'prohibited'],
  ['sql', 'prohibited'],
  ['url', 'prohibited'],
  ['path', 'prohibited'],
  ['exported_path', 'prohibited'],
  ['url_full', 'prohibited'],
  ['http_target', 'prohibited'],
  ['db_statement', 'prohibited'],
  ['http_request_header_x_user', 'prohibited'],
  ['geo_city', 'prohibited'],
  ['geography', 'local'],
  ['annotation_owner', 'prohibited'],
  ['otel_scope_name', 'public'],
  ['otel_scope_version', 'public'],
  ['otel_scope_user_email', 'prohibited'],
  ['otel_scope_anything', 'prohibited'],
  ['otel_scope_host_name', 'quasi'],
  // What the same words mean elsewhere.
  ['url', 'local', 'prometheus_remote_storage_samples_total'],
  ['url', 'prohibited', 'my_prometheus_remote_storage_samples_total'],
  ['exported_url', 'local', 'prometheus_remote_storage_samples_total'],
  ['user', 'local', 'cortex_ingester_active_series'],
  ['uri', 'local', 'http_server_requests_seconds_count'],
  ['uri', 'prohibited', 'http_requests_total'],
  // The labels of target_info are attributes of a resource.
  ['shop_floor', 'prohibited', 'target_info'],
  ['exported_domain', 'prohibited', 'target_info'],
  ['domain', 'structural', 'target_info'],
  ['instance', 'quasi', 'target_info'],
  ['service_version', 'public', 'target_info'],
  ['host_name', 'quasi', 'target_info'],
  ['namespace', 'public', 'target_info'],
  ['process_command_line', 'prohibited', 'target_info'],
  ['shop_floor', 'prohibited', 'traces_target_info'],
])('the label %s is %s %s', (label, kind, metric = 'requests_total') => expect(ruleOf(label, metric).class).toBe(kind));

test('the label of the domain is structural under any name', () => {
  expect(labelRules('email')('email', 'up').class).toBe('structural');
  expect(labelRules('region')('domain', 'target_info').class).toBe('prohibited');
});

test('what is remembered by name is bounded', () => {
  const made: string[] = [];
  const lengthOf = rememberByName((name) => {
    made.push(name);
    return name.length;
  });
  const names = Array.from({ length: 4096 }, (_, i) => `name ${i}`);
  for (const name of [...names, ...names]) expect(lengthOf(name)).toBe(name.length);
  expect(made).toEqual(names);
  // One more name, and all are forgotten.
  for (const name of ['one more', names[0]!]) lengthOf(name);
  expect(made.slice(names.length)).toEqual(['one more', names[0]]);
  // A long name is worth no memory.
  const long = 'x'.repeat(129);
  for (const name of [long, long]) expect(lengthOf(name)).toBe(129);
  expect(made.filter((name) => name === long)).toHaveLength(2);
});
