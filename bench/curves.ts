/** Curves in one picture, side by side, both axes logarithmic. */
export interface Panel {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  /** At least one, and each has at least one point above 0. */
  readonly curves: readonly Curve[];
}

export interface Curve {
  readonly name: string;
  /** Ascending in x; all above 0. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

const WIDTH = 440;
const HEIGHT = 380;
const MARGIN = { left: 74, right: 30, top: 44, bottom: 56 };
const PLOT = { width: WIDTH - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom };

/** Told apart without colour too, by the shape of their points. */
const COLOURS = ['#0b62a4', '#c2410c', '#15803d', '#7e22ce', '#4b5563'];

/** An SVG document of its own: white ground, no script, no outside font. */
export function curvesSvg(panels: readonly Panel[], columns: number): string {
  const rows = Math.ceil(panels.length / columns);
  const [width, height] = [WIDTH * Math.min(columns, panels.length), HEIGHT * rows];
  const drawn = panels.map((panel, i) => {
    const [x, y] = [(i % columns) * WIDTH, Math.floor(i / columns) * HEIGHT];
    return `<g transform="translate(${x} ${y})">\n${panelSvg(panel)}</g>\n`;
  });
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ` +
    `font-family="system-ui, sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="#fff"/>\n` +
    `${drawn.join('')}</svg>\n`
  );
}

/**
 * The exponent that fits the points best: y grows as x to the power of it. 1 is linear, 0 flat. Undefined of fewer than two
 * different x.
 */
export function slopeOf(points: Curve['points']): number | undefined {
  const logs = points.map(([x, y]) => [Math.log(x), Math.log(y)] as const);
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanX, meanY] = [mean(logs.map(([x]) => x)), mean(logs.map(([, y]) => y))];
  const spread = logs.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  if (!(spread > 0)) return undefined;
  return logs.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / spread;
}

/** Whole powers of ten around all the values, and at least one decade. */
export function decades(values: readonly number[]): { readonly from: number; readonly to: number } {
  const from = Math.floor(Math.log10(Math.min(...values)));
  const to = Math.ceil(Math.log10(Math.max(...values)));
  return { from, to: Math.max(to, from + 1) };
}

function panelSvg({ title, xLabel, yLabel, curves }: Panel): string {
  const points = curves.flatMap((curve) => curve.points);
  const [xs, ys] = [decades(points.map(([x]) => x)), decades(points.map(([, y]) => y))];
  const x = (value: number): number => MARGIN.left + ((Math.log10(value) - xs.from) / (xs.to - xs.from)) * PLOT.width;
  const y = (value: number): number =>
    MARGIN.top + PLOT.height - ((Math.log10(value) - ys.from) / (ys.to - ys.from)) * PLOT.height;
  const [right, bottom] = [MARGIN.left + PLOT.width, MARGIN.top + PLOT.height];

  const lines: string[] = [text(MARGIN.left + PLOT.width / 2, 24, title, 'middle', 'font-size="14" font-weight="600"')];
  for (const [decade, value] of decadesIn(xs)) {
    lines.push(line(x(value), MARGIN.top, x(value), bottom), text(x(value), bottom + 18, decade, 'middle'));
  }
  for (const [decade, value] of decadesIn(ys)) {
    lines.push(line(MARGIN.left, y(value), right, y(value)), text(MARGIN.left - 8, y(value) + 4, decade, 'end'));
  }
  const middle = MARGIN.top + PLOT.height / 2;
  lines.push(
    text(MARGIN.left + PLOT.width / 2, HEIGHT - 14, xLabel, 'middle'),
    text(18, middle, yLabel, 'middle', `transform="rotate(-90 18 ${round(middle)})"`),
  );
  for (const [i, { name, points: own }] of curves.entries()) {
    const colour = COLOURS[i % COLOURS.length]!;
    const path = own.map(([px, py]) => `${round(x(px))},${round(y(py))}`).join(' ');
    lines.push(`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    for (const [px, py] of own) lines.push(mark(i, x(px), y(py), colour));
    const row = MARGIN.top + 16 + i * 17;
    lines.push(
      mark(i, MARGIN.left + 14, row - 4, colour),
      text(MARGIN.left + 24, row, name, 'start', `fill="${colour}"`),
    );
  }
  return lines.map((one) => `${one}\n`).join('');
}

function* decadesIn({ from, to }: { readonly from: number; readonly to: number }): Generator<[string, number]> {
  for (let power = from; power <= to; power++) {
    const value = 10 ** power;
    yield [power < 0 ? value.toFixed(-power) : value.toLocaleString('en-US'), value];
  }
}

function mark(i: number, x: number, y: number, colour: string): string {
  const [cx, cy] = [round(x), round(y)];
  if (i % 3 === 0) return `<circle cx="${cx}" cy="${cy}" r="4" fill="${colour}"/>`;
  if (i % 3 === 1) return `<rect x="${round(x - 4)}" y="${round(y - 4)}" width="8" height="8" fill="${colour}"/>`;
  return `<path d="M${cx} ${round(y - 5)} l5 9 h-10 z" fill="${colour}"/>`;
}

function line(x1: number, y1: number, x2: number, y2: number): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" stroke="#d4d4d8"/>`;
}

function text(x: number, y: number, words: string, anchor: 'start' | 'middle' | 'end', more = ''): string {
  const escaped = words.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
  return `<text x="${round(x)}" y="${round(y)}" text-anchor="${anchor}" ${more}>${escaped}</text>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
