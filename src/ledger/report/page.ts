import { html, type Html, type HtmlPart } from './html.ts';
import type { AgentRow, ComplianceReport, DenialRow, KindRow, LeftRow, PolicyRow, RedactionRow } from './report.ts';
import { REASON_WORDS, WHAT_WORDS } from './words.ts';

/** The report as one page of HTML that needs nothing else: no scripts, no fonts, no requests. */
export function reportPage(report: ComplianceReport): string {
  const { domain, from, to, made, ledger } = report;
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>What left ${domain}, ${day(from)} to ${day(to)}</title>
        <style>
          ${{ markup: STYLE }}
        </style>
      </head>
      <body>
        <header>
          <p class="over">Telemetry residency report</p>
          <h1>What left ${domain}</h1>
          <p>
            ${time(from)} to ${time(to)}, made ${time(made)}. Its ledger was recomputed before: ${count(ledger.size)}
            entries, nothing missing, nothing changed.
          </p>
        </header>
        ${summary(report)} ${left(report)} ${groupsOfOne(report)} ${kinds(report)} ${denials(report)}
        ${redaction(report)} ${policies(report)} ${agents(report)} ${check(report)} ${limits(report)}
        ${controls(report)}
      </body>
    </html> `;
  return `${page.markup.replaceAll(/\n\s+/g, '\n').trim()}\n`;
}

function summary({ summary: s }: ComplianceReport): Html {
  const figures: readonly [string, string][] = [
    [count(s.answers), 'answers left'],
    [bytes(s.bytes), 'in them, before compression'],
    [s.destinations.length === 0 ? 'nowhere' : s.destinations.join(', '), 'jurisdictions that received them'],
    [count(s.consumers), s.consumers === 1 ? 'consumer' : 'consumers'],
    [count(s.fragments_released), 'questions answered'],
    [count(s.fragments_refused), 'questions refused'],
    [
      count(s.policy_changes),
      s.loosenings === 0
        ? 'policies put in force, none loosened'
        : `policies put in force, ${s.loosenings} of them loosened`,
    ],
  ];
  return html`<section class="figures">
    ${figures.map(([figure, words]) => html`<div><b>${figure}</b><span>${words}</span></div>`)}
  </section>`;
}

function left({ left: section }: ComplianceReport): Html {
  const most = Math.max(1, ...section.rows.map((row) => row.bytes));
  return html`<section>
    <h2>What left</h2>
    <p>
      Per metric: what it was broken down by, where it went, how often and how much. An answer that holds several
      metrics counts in each of their rows.
    </p>
    ${table<LeftRow>(section.rows, 'Nothing of any metric left.', [
      ['Metric', (row) => metricCode(row.metric)],
      ['As', (row) => classText(row)],
      [
        'Broken down by',
        (row) => (row.dimensions.length === 0 ? 'no label: a total, or nothing' : row.dimensions.join(', ')),
      ],
      ['To', (row) => row.destination],
      ['Answers', (row) => count(row.answers), 'number'],
      [
        'Bytes',
        (row) => html`${bytes(row.bytes)}<i style="width:${Math.ceil((100 * row.bytes) / most)}%"></i>`,
        'number',
      ],
      ['Data of', (row) => span(time(row.data_from), time(row.data_to))],
      ['Finest step', (row) => seconds(row.finest_step_seconds), 'number'],
    ])}
    ${source(section)}
  </section>`;
}

function groupsOfOne({ groups_of_one: section }: ComplianceReport): Html {
  const words =
    section.metrics.length === 0
      ? html`<p>No metric left under a rule that lets groups of one series out.</p>`
      : html`<p>
            These metrics left under <code>min_series: 1</code>. A group that held one series showed the value of that
            series. Raise <code>min_series</code> in the policy where that is too much.
          </p>
          <p class="tags">${section.metrics.map((metric) => html`${metricCode(metric)} `)}</p>`;
  return html`<section class="notice">
    <h2>Groups of one</h2>
    ${words} ${source(section)}
  </section>`;
}

function kinds({ kinds: section }: ComplianceReport): Html {
  return html`<section>
    <h2>Messages by kind</h2>
    ${table<KindRow>(section.rows, 'No message left.', [
      ['Kind', (row) => WHAT_WORDS[row.what] ?? row.what],
      ['To', (row) => row.destination],
      ['Messages', (row) => `${row.at_most ? 'at most ' : ''}${count(row.answers)}`, 'number'],
      ['Bytes', (row) => `${row.at_most ? 'at most ' : ''}${bytes(row.bytes)}`, 'number'],
    ])}
    ${source(section)}
  </section>`;
}

function denials({ denials: section }: ComplianceReport): Html {
  return html`<section>
    <h2>What was refused</h2>
    ${table<DenialRow>(section.rows, 'Nothing was refused.', [
      ['Why', (row) => html`${REASON_WORDS[row.reason] ?? row.reason} <small>${row.reason}</small>`],
      ['Questions', (row) => count(row.fragments), 'number'],
      ['About', (row) => row.metrics.map((metric) => html`${metricCode(metric)} `)],
    ])}
    ${source(section)}
  </section>`;
}

function redaction({ redaction: section }: ComplianceReport): Html {
  return html`<section>
    <h2>What was removed at ingest</h2>
    <p>
      Values that senders delivered, and what became of them before anything was stored. Counted over
      ${duration(section.minutes)} of the agents’ running time in the period.
    </p>
    ${table<RedactionRow>(section.rows, 'Nothing was counted in the period.', [
      ['Where', (row) => row.place],
      ['What it was', (row) => row.reason],
      ['What became of it', (row) => ACTION_WORDS[row.action] ?? row.action],
      ['Values', (row) => count(row.values), 'number'],
    ])}
    ${source(section)}
  </section>`;
}

function policies({ policies: section }: ComplianceReport): Html {
  return html`<section>
    <h2>Policies</h2>
    ${table<PolicyRow>(section.rows, 'No policy was recorded.', [
      ['From', (row) => (row.before ? `${time(row.minute)}, before the period` : time(row.minute))],
      ['State', (row) => row.state],
      ['Digest', (row) => html`<code>${row.digest.slice(0, 16)}</code>`],
      [
        'Bundle',
        (row) => (row.bundle_version === null ? 'none, a file of the domain' : `version ${row.bundle_version}`),
      ],
      ['Signed by', (row) => (row.approvers.length === 0 ? 'nobody' : row.approvers.join(', '))],
      ['Effect', (row) => (row.loosening ? html`<strong>looser</strong>` : 'no looser than before')],
      ['Changes', (row) => row.changes.map((change) => html`<div>${change}</div>`)],
    ])}
    ${source(section)}
  </section>`;
}

function agents({ agents: section }: ComplianceReport): Html {
  return html`<section>
    <h2>Agents</h2>
    ${table<AgentRow>(section.rows, 'No start of an agent was recorded.', [
      ['Agent', (row) => row.agent],
      ['Version', (row) => row.version],
      ['Jurisdiction', (row) => row.jurisdiction],
      ['Samples in', (row) => row.samples_in],
      ['Starts', (row) => count(row.starts), 'number'],
      ['Last start', (row) => time(row.last_start)],
      ['Key of its ledger', (row) => html`<code>${row.ledger_key}</code>`],
    ])}
    <p>Certificates: ${section.certificates}</p>
    ${source(section)}
  </section>`;
}

function check({ ledger }: ComplianceReport): Html {
  const range = ledger.first === null || ledger.last === null ? 'none' : `${ledger.first} to ${ledger.last}`;
  return html`<section>
    <h2>How to check this report</h2>
    <dl>
      <dt>Ledger</dt>
      <dd><code>${ledger.origin}</code></dd>
      <dt>Entries of the period</dt>
      <dd>${range} (${count(ledger.entries)}) of ${count(ledger.size)}</dd>
      <dt>Root hash</dt>
      <dd><code>${ledger.root}</code></dd>
      <dt>Key</dt>
      <dd><code>${ledger.key}</code></dd>
      <dt>Witnesses</dt>
      <dd>${witnessText(ledger.witnesses)}</dd>
    </dl>
    <p>
      Take an export of the ledger (<code>comity ledger export DIR</code>) and run, on any machine, without a network:
    </p>
    <pre>${ledger.recompute.replace('LEDGER', 'DIR')}</pre>
    <p>Under each table stands the command that adds up its figures again; <code>LEDGER</code> is that folder.</p>
  </section>`;
}

function limits({ limits: texts }: ComplianceReport): Html {
  return html`<section>
    <h2>What this report does not say</h2>
    <ul>
      ${texts.map((text) => html`<li>${text}</li>`)}
    </ul>
  </section>`;
}

function controls({ controls: rows }: ComplianceReport): Html {
  return html`<section>
    <h2>Controls that this is evidence for</h2>
    ${table(rows, '', [
      ['Framework', (row) => row.framework],
      ['Control', (row) => row.control],
      ['Section', (row) => row.evidence],
    ])}
  </section>`;
}

type Column<T> = readonly [title: string, cell: (row: T) => HtmlPart, kind?: 'number'];

function table<T>(rows: readonly T[], whenEmpty: string, columns: readonly Column<T>[]): Html {
  if (rows.length === 0) return html`<p class="empty">${whenEmpty}</p>`;
  return html`<div class="wide">
    <table>
      <thead>
        <tr>
          ${columns.map(([title, , kind = '']) => html`<th class="${kind}">${title}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${rows.map(
          (row) =>
            html`<tr>
              ${columns.map(([, cell, kind = '']) => html`<td class="${kind}">${cell(row)}</td>`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function source({ source: name, recompute }: { readonly source: string; readonly recompute: string }): Html {
  return html`<p class="source">Source: ${name}. <code>${recompute}</code></p>`;
}

function witnessText(witnesses: ComplianceReport['ledger']['witnesses']): string {
  if (witnesses.length === 0) return 'none';
  return witnesses.map(({ name, size }) => `${name}, up to entry ${size - 1}`).join('; ');
}

const ACTION_WORDS: Readonly<Record<string, string>> = {
  kept: 'kept as it was',
  dropped: 'removed',
  pseudonym: 'replaced by a keyed pseudonym',
  other: 'replaced by __other__',
};

/** Long names may break after their underscores. */
function metricCode(metric: string): Html {
  if (metric === '*') return html`several, not spelt out`;
  const words = metric.split(/(?<=_)/);
  return html`<code>${words.map((word, i) => (i === 0 ? word : html`<wbr />${word}`))}</code>`;
}

function classText({ class: egress, min_series: least, operators }: LeftRow): string {
  if (egress === 'open') return 'series as they are';
  if (egress === 'streams') return 'how many senders were heard';
  const aggregates = operators.length === 0 ? 'aggregates' : `aggregates (${operators.join(', ')})`;
  return least === null ? aggregates : `${aggregates} of at least ${least} series`;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}

function bytes(value: number): string {
  if (value < 1000) return `${value} B`;
  const power = Math.min(4, Math.floor(Math.log10(value) / 3));
  return `${(value / 1000 ** power).toPrecision(3)} ${['B', 'kB', 'MB', 'GB', 'TB'][power]}`;
}

function seconds(value: number): string {
  return value === 0 ? 'one time' : `${value} s`;
}

function duration(minutes: number): string {
  if (minutes < 1) return 'less than a minute';
  return minutes < 120 ? `${minutes} minutes` : `${Math.round(minutes / 60)} hours`;
}

function span(from: string, to: string): string {
  return from === to ? from : `${from} to ${to}`;
}

function time(text: string): string {
  return text === '' ? 'unknown' : `${text.slice(0, 10)} ${text.slice(11, 16)}`;
}

function day(text: string): string {
  return text.slice(0, 10);
}

const STYLE = `
:root { color-scheme: light; --ink: #1c2733; --soft: #5b6b7b; --line: #dbe2e9; --tint: #f5f7f9; --mark: #2f6f9f }
* { box-sizing: border-box }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); max-width: 72rem; margin: 0 auto; padding: 2.5rem 1.5rem 4rem }
h1 { font-size: 2rem; line-height: 1.2; margin: .2rem 0 .6rem }
h2 { font-size: 1.2rem; margin: 0 0 .5rem }
.over { color: var(--mark); font-weight: 600; margin: 0; letter-spacing: .02em }
section { margin-top: 2.2rem }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); gap: 1px; background: var(--line); border: 1px solid var(--line) }
.figures div { background: #fff; padding: .8rem 1rem }
.figures b { display: block; font-size: 1.35rem; font-variant-numeric: tabular-nums; overflow-wrap: anywhere }
.figures span { color: var(--soft); font-size: .86rem }
.notice { background: #fdf6e7; border-left: 4px solid #d39b23; padding: 1rem 1.2rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: .9rem }
th { text-align: left; font-weight: 600; color: var(--soft); border-bottom: 2px solid var(--line); padding: .35rem .7rem .35rem 0; white-space: nowrap }
td { border-bottom: 1px solid var(--line); padding: .4rem .7rem .4rem 0; vertical-align: top }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
td:first-child code { overflow-wrap: normal }
td i { display: block; height: 3px; background: var(--mark); margin: 2px 0 0 auto }
code, pre { font: .86em/1.45 ui-monospace, monospace; overflow-wrap: anywhere }
pre { background: var(--tint); padding: .7rem 1rem; overflow-x: auto; white-space: pre-wrap }
small, .source, .empty { color: var(--soft); font-size: .82rem }
.source { margin: .5rem 0 0 }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.2rem }
dt { color: var(--soft) }
dd { margin: 0; overflow-wrap: anywhere }
li { margin: .35rem 0 }
@media print { body { padding: 0; font-size: 12px } section { break-inside: avoid-page } }
`;
