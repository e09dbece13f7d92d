/** Dashboards of Grafana as data: what of its JSON model these need (https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/). */

type Json = Readonly<Record<string, unknown>>;

interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly refresh: string;
  readonly panels: readonly Panel[];
}

interface Panel {
  /** In units of Grafana's grid, which is 24 wide. */
  readonly width: number;
  readonly height: number;
  readonly json: Json;
}

const GRID_WIDTH = 24;

/** The data source that docker-compose.yml provisions. */
const SOURCE = { type: 'prometheus', uid: 'comity' };

/** The dashboard's JSON. Panels fill lines from the left. */
export function dashboard({ uid, title, refresh, panels }: Dashboard): Json {
  let x = 0;
  let y = 0;
  let lineHeight = 0;
  const placed = panels.map(({ width, height, json }, at) => {
    if (x + width > GRID_WIDTH) {
      y += lineHeight;
      x = lineHeight = 0;
    }
    const gridPos = { x, y, w: width, h: height };
    x += width;
    lineHeight = Math.max(lineHeight, height);
    return { id: at + 1, gridPos, ...json };
  });
  return {
    uid,
    title,
    tags: ['comity'],
    timezone: 'browser',
    schemaVersion: 41,
    refresh,
    time: { from: 'now-15m', to: 'now' },
    panels: placed,
  };
}

/** A headline over the panels that follow. */
export function row(title: string): Panel {
  return { width: GRID_WIDTH, height: 1, json: { type: 'row', title, collapsed: false, panels: [] } };
}

/** One number; `unit` as Grafana names it. */
export function stat(title: string, unit: string, expr: string): Panel {
  const options = { reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false }, graphMode: 'area' };
  return { width: 6, height: 4, json: { type: 'stat', title, ...queries([[expr, '']]), ...unitOf(unit), options } };
}

/** Lines over time; each query with its legend. */
export function timeseries(title: string, unit: string, exprs: readonly (readonly [string, string])[]): Panel {
  const options = { legend: { displayMode: 'list', placement: 'bottom' }, tooltip: { mode: 'multi', sort: 'desc' } };
  return { width: 12, height: 8, json: { type: 'timeseries', title, ...queries(exprs), ...unitOf(unit), options } };
}

function queries(exprs: readonly (readonly [string, string])[]): Json {
  return {
    datasource: SOURCE,
    targets: exprs.map(([expr, legendFormat], at) => ({
      refId: String.fromCharCode('A'.charCodeAt(0) + at),
      datasource: SOURCE,
      expr,
      legendFormat,
      range: true,
    })),
  };
}

function unitOf(unit: string): Json {
  return { fieldConfig: { defaults: { unit, ...(unit === 'percentunit' ? { min: 0, max: 1 } : {}) }, overrides: [] } };
}
