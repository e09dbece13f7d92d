import { ComityError } from '../base/errors.ts';
import { QUESTIONS_MAX, type FoundFile, type FoundQuestion } from './check-found.ts';
import { substituteVariables, type DashboardVariable, type SubstituteOptions } from './check-variables.ts';

/** What is known of JSON before it is looked at. */
type Json = null | boolean | number | string | readonly Json[] | JsonObject;
interface JsonObject {
  readonly [name: string]: Json | undefined;
}

/** Nesting of rows and library panels; Grafana has two levels. */
const PANEL_DEPTH_MAX = 8;

/** Whether a document is a Grafana dashboard, as Grafana exports it or its API gives it. */
export function isDashboard(document: unknown): boolean {
  const found = dashboardIn(document as Json);
  return found !== undefined;
}

/**
 * The PromQL of a dashboard: its panels (those of rows and library panels too), annotations and variables. Queries to other
 * data sources are counted by their kind.
 */
export function questionsOfDashboard(document: unknown, options: Omit<SubstituteOptions, 'variables'>): FoundFile {
  const dashboard = dashboardIn(document as Json);
  if (dashboard === undefined) throw new ComityError('bad_data', 'it is no Grafana dashboard: it has no panels');
  const templates = list(object(dashboard['templating'])?.['list']);
  const reader: Reader = {
    options: { ...options, variables: variablesOf(templates) },
    sources: sourcesOf(dashboard, templates),
    library: object(dashboard['__elements']) ?? {},
    questions: [],
    others: new Map(),
    unread: [],
  };
  for (const row of list(dashboard['rows'])) readPanels(list(object(row)?.['panels']), reader, 0);
  readPanels(list(dashboard['panels']), reader, 0);
  for (const annotation of list(object(dashboard['annotations'])?.['list'])) readAnnotation(annotation, reader);
  for (const template of templates) readVariable(template, reader);
  return reader;
}

interface Reader extends FoundFile {
  readonly options: SubstituteOptions;
  /** Kinds of data sources by the name that stands for them. */
  readonly sources: ReadonlyMap<string, string>;
  readonly library: JsonObject;
  readonly questions: FoundQuestion[];
  readonly others: Map<string, number>;
  readonly unread: string[];
}

function dashboardIn(document: Json): JsonObject | undefined {
  const found = object(document);
  const inner = object(found?.['dashboard']) ?? found;
  const hasPanels = Array.isArray(inner?.['panels']) || Array.isArray(inner?.['rows']);
  return hasPanels ? inner : undefined;
}

function readPanels(panels: readonly Json[], reader: Reader, depth: number): void {
  if (depth > PANEL_DEPTH_MAX) throw new ComityError('bad_data', `panels are nested more than ${PANEL_DEPTH_MAX} deep`);
  for (const one of panels) {
    const panel = object(one);
    if (panel === undefined) continue;
    const title = titleOf(panel);
    const shared = libraryModel(panel, reader);
    if (shared !== undefined) readPanels([{ ...shared, title }], reader, depth + 1);
    else if (panel['libraryPanel'] !== undefined && !Array.isArray(panel['targets'])) {
      reader.unread.push(`panel ${title}: the file does not have its library panel`);
    }
    for (const target of list(panel['targets'])) readTarget(target, panel, title, reader);
    readPanels(list(panel['panels']), reader, depth + 1);
  }
}

function libraryModel(panel: JsonObject, { library }: Reader): JsonObject | undefined {
  const uid = text(object(panel['libraryPanel'])?.['uid']);
  if (uid === undefined || Array.isArray(panel['targets'])) return undefined;
  const model = object(object(library[uid])?.['model']);
  if (model === undefined) return undefined;
  // It would refer to itself for ever.
  return Object.fromEntries(Object.entries(model).filter(([name]) => name !== 'libraryPanel'));
}

function titleOf(panel: JsonObject): string {
  const title = text(panel['title']) ?? '';
  const id = panel['id'];
  return title === '' ? `panel ${typeof id === 'number' ? id : '?'}` : title;
}

function readTarget(one: Json, panel: JsonObject, title: string, reader: Reader): void {
  const target = object(one);
  if (target === undefined) return;
  const expr = text(target['expr']);
  const source = sourceOf(target['datasource'] ?? panel['datasource'], reader);
  if (source !== undefined && !PROMETHEUS.test(source)) return countOther(source, reader);
  if (expr === undefined) return countOther(source ?? 'unknown', reader);
  const refId = text(target['refId']);
  const place = refId === undefined ? title : `${title} / ${refId}`;
  add(expr, place, target['instant'] === true && target['range'] !== true ? 'instant' : 'range', reader);
}

function readAnnotation(one: Json, reader: Reader): void {
  const annotation = object(one);
  const expr = text(annotation?.['expr']) ?? text(object(annotation?.['target'])?.['expr']);
  if (annotation === undefined || expr === undefined) return;
  const source = sourceOf(annotation['datasource'], reader);
  if (source !== undefined && !PROMETHEUS.test(source)) return countOther(source, reader);
  add(expr, `annotation ${text(annotation['name']) ?? ''}`.trim(), 'range', reader);
}

/** `label_values(up{a="b"}, job)`, `query_result(sum(up))`, `metrics(node_.*)`, `label_names()`. */
function readVariable(one: Json, reader: Reader): void {
  const variable = object(one);
  if (variable === undefined || text(variable['type']) !== 'query') return;
  const query = text(variable['query']) ?? text(object(variable['query'])?.['query']) ?? text(variable['definition']);
  const source = sourceOf(variable['datasource'], reader);
  if (source !== undefined && !PROMETHEUS.test(source)) return countOther(source, reader);
  if (query === undefined || query.trim() === '') return;
  const place = `variable ${text(variable['name']) ?? ''}`.trim();
  const call = /^\s*(?<func>\w+)\s*\((?<args>[\s\S]*)\)\s*$/.exec(query)?.groups;
  switch (call?.['func']) {
    case 'query_result':
      return add(call['args']!, place, 'instant', reader);
    case 'label_values': {
      const { selector, label } = labelValuesArguments(call['args']!);
      return add(selector, place, 'labels', reader, label);
    }
    case 'label_names':
      return add('', place, 'labels', reader, '');
    case 'metrics':
      return add(`{__name__=~${JSON.stringify(call['args']!.trim())}}`, place, 'labels', reader, '__name__');
    default:
      return add(query, place, 'instant', reader);
  }
}

/** The label is what follows the last comma; before it stands a selector, which may be missing. */
function labelValuesArguments(args: string): { selector: string; label: string } {
  const comma = args.lastIndexOf(',');
  const label = args.slice(comma + 1).trim();
  return { selector: comma < 0 ? '' : args.slice(0, comma).trim(), label };
}

function add(query: string, place: string, kind: FoundQuestion['kind'], reader: Reader, label?: string): void {
  if (query.trim() === '' && kind !== 'labels') return;
  if (reader.questions.length >= QUESTIONS_MAX) {
    throw new ComityError('limit', `a file may have ${QUESTIONS_MAX} queries, and this one has more`);
  }
  const { text: asked, restore } = substituteVariables(query, reader.options);
  const found = { place, query, asked, kind, restore };
  reader.questions.push(label === undefined ? found : { ...found, label });
}

function countOther(source: string, { others }: Reader): void {
  others.set(source, (others.get(source) ?? 0) + 1);
}

const PROMETHEUS = /prometheus/i;

/** Kinds of data sources that exported dashboards ask for, and those that variables choose. */
function sourcesOf(dashboard: JsonObject, templates: readonly Json[]): Map<string, string> {
  const sources = new Map<string, string>();
  for (const one of list(dashboard['__inputs'])) {
    const input = object(one);
    const [name, plugin] = [text(input?.['name']), text(input?.['pluginId'])];
    if (name !== undefined && plugin !== undefined) sources.set(name, plugin);
  }
  for (const one of templates) {
    const variable = object(one);
    const [name, query] = [text(variable?.['name']), text(variable?.['query'])];
    if (text(variable?.['type']) === 'datasource' && name !== undefined && query !== undefined)
      sources.set(name, query);
  }
  return sources;
}

/** The kind of a data source, where that can be known: undefined for the default one, and for a name. */
function sourceOf(given: Json | undefined, { sources }: Reader): string | undefined {
  const type = text(object(given)?.['type']);
  if (type !== undefined && type !== 'datasource') return type;
  const name = text(given) ?? text(object(given)?.['uid']) ?? '';
  const variable = /^\$\{?(\w+)\}?$/.exec(name)?.[1];
  if (variable !== undefined) return sources.get(variable);
  if (name.startsWith('-- ') && name !== '-- Mixed --') return name;
  return OTHER_NAMES.exec(name)?.[0].toLowerCase();
}

/** What a data source is that has only a name. */
const OTHER_NAMES = /loki|tempo|elasticsearch|influx|graphite|jaeger|mysql|postgres|cloudwatch/i;

function variablesOf(templates: readonly Json[]): Map<string, DashboardVariable> {
  const variables = new Map<string, DashboardVariable>();
  for (const one of templates) {
    const template = object(one);
    const name = text(template?.['name']);
    if (template === undefined || name === undefined) continue;
    variables.set(name, {
      name,
      values: valuesOf(template),
      isMany: template['multi'] === true || template['includeAll'] === true,
    });
  }
  return variables;
}

/** The current values; all of them, or the first of the options, where there is none. */
function valuesOf(template: JsonObject): string[] {
  const current = object(template['current'])?.['value'];
  const values = (Array.isArray(current) ? current : [current]).flatMap((value) => text(value) ?? []);
  if (values.includes('$__all')) return [text(template['allValue']) || '.*'];
  const chosen = values.filter((value) => value !== '');
  if (chosen.length > 0) return chosen;
  const query = text(template['query']) ?? '';
  const isList = ['custom', 'interval', 'constant', 'textbox'].includes(text(template['type']) ?? '');
  const first = query.split(',')[0]!.trim();
  return isList && first !== '' ? [first] : [];
}

function object(value: Json | undefined): JsonObject | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
}

function list(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}

function text(value: Json | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
