// One line chart as inline SVG with its legend. Lines differ by colour, by dash and by the shape of their points.
import { type Markup, markup } from './markup.js';
import { linearScale, type Scale } from './scale.js';
import type { Point } from './series.js';

export interface ChartLine {
  /** Its class in the style sheet, which gives colour and dash. */
  readonly look: 'resnet' | 'plain' | 'gap-train' | 'gap-val';
  readonly label: string;
  /** The line: what counts. */
  readonly points: readonly Point[];
  /** Shown faintly behind it. */
  readonly behind: readonly Point[];
}

export interface ChartOptions {
  readonly title: string;
  readonly lines: readonly ChartLine[];
  /** How values are written in the legend. */
  readonly format: (value: number) => string;
  readonly unit: string;
  readonly note?: string;
  /** Values that the vertical axis must show. */
  readonly include?: readonly number[];
  /** Values beyond these cannot be, so the axis does not go there. */
  readonly bounds?: readonly [low: number, high: number];
  /** Ends of the horizontal axis. */
  readonly steps: number;
  readonly epochs: number;
  readonly wide?: boolean;
}

interface Width {
  readonly width: number;
  readonly look: 'narrow-plot' | 'wide-plot';
  readonly ticks: number;
}
const NARROW: Width = { width: 400, look: 'narrow-plot', ticks: 6 };
const WIDE: Width = { width: 820, look: 'wide-plot', ticks: 12 };
const HEIGHT = 240;
const MARGIN = { left: 38, right: 12, top: 12, bottom: 34 };
/** With more, points would hide the line. */
const MAX_MARKED_POINTS = 32;

/** Undefined where no line has a value. */
export function chart(options: ChartOptions): Markup | undefined {
  const { title, note, format, wide = false } = options;
  const lines = options.lines.filter(({ points }) => points.some(({ value }) => Number.isFinite(value)));
  if (lines.length === 0) return undefined;
  const legend = lines.map((line) => markup`<li>${sample(line.look)}${line.label} <b>${format(lastValue(line.points))}</b></li>`);
  return markup`<figure class="${wide ? 'wide' : ''}">
<figcaption><h3>${title}</h3>${note === undefined ? '' : markup`<p class="note">${note}</p>`}<ul class="legend">${legend}</ul></figcaption>
${plot(options, lines, NARROW)}${wide ? plot(options, lines, WIDE) : ''}
</figure>`;
}

/** A wide chart is drawn for both widths, and the style sheet shows the one whose letters stay readable. */
function plot(options: ChartOptions, lines: readonly ChartLine[], { width, look, ticks }: Width): Markup {
  const { title, unit, format, epochs, steps } = options;
  const x = linearScale({
    domain: [0, epochs],
    range: [MARGIN.left, width - MARGIN.right],
    steps: ticks,
    wholeNumbers: epochs >= 1,
  });
  const y = verticalScale(options, lines);
  const spoken = lines.map((line) => `${line.label} ends at ${format(lastValue(line.points))}`).join(', ');
  return markup`<svg class="${look}" viewBox="0 0 ${width} ${HEIGHT}" role="img" aria-label="${title} (${unit}) by epoch: ${spoken}">
${axes(x, y, width)}
${lines.map((line) => drawLine(line, (step) => x.at((step * epochs) / steps), y.at))}
</svg>`;
}

function verticalScale({ include = [], bounds }: ChartOptions, lines: readonly ChartLine[]): Scale {
  const values = lines.flatMap(({ points, behind }) => [...points, ...behind].map(({ value }) => value)).filter(Number.isFinite);
  let low = Math.min(...values, ...include);
  let high = Math.max(...values, ...include);
  if (low === high) [low, high] = [low - 1, high + 1];
  const scale = { range: [HEIGHT - MARGIN.bottom, MARGIN.top], steps: 5, nice: true } as const;
  if (bounds !== undefined) [low, high] = [Math.max(low, bounds[0]), Math.min(high, bounds[1])];
  return linearScale({ ...scale, domain: [low, high] });
}

function axes(x: Scale, y: Scale, width: number): Markup {
  const [left, right, bottom] = [MARGIN.left, width - MARGIN.right, HEIGHT - MARGIN.bottom];
  return markup`${y.ticks.map(
    (tick) =>
      markup`<line class="${tick === 0 ? 'zero' : 'grid'}" x1="${left}" x2="${right}" y1="${n(y.at(tick))}" y2="${n(y.at(tick))}"/><text class="tick" x="${left - 6}" y="${n(y.at(tick) + 4)}" text-anchor="end">${y.label(tick)}</text>`,
  )}
${x.ticks.map((tick) => markup`<text class="tick" x="${n(x.at(tick))}" y="${bottom + 16}" text-anchor="middle">${x.label(tick)}</text>`)}
<text class="tick" x="${(left + right) / 2}" y="${HEIGHT - 3}" text-anchor="middle">epoch</text>`;
}

function drawLine({ look, points, behind }: ChartLine, x: (step: number) => number, y: (value: number) => number): Markup {
  const path = (kind: 'line' | 'behind', run: readonly Point[]): Markup =>
    markup`<path class="${kind}" d="M${run.map(({ step, value }) => `${n(x(step))},${n(y(value))}`).join('L')}"/>`;
  const marked = points.length <= MAX_MARKED_POINTS ? points : points.slice(-1);
  const dots = marked.filter(({ value }) => Number.isFinite(value)).map(({ step, value }) => dot(look, x(step), y(value)));
  return markup`<g class="${look}">${unbroken(behind).map((run) => path('behind', run))}${unbroken(points).map((run) => path('line', run))}${dots}</g>`;
}

/** Circles for one of the two, squares for the other. */
const dot = (look: ChartLine['look'], x: number, y: number): Markup =>
  look === 'resnet' || look === 'gap-train'
    ? markup`<circle class="dot" cx="${n(x)}" cy="${n(y)}" r="3"/>`
    : markup`<rect class="dot" x="${n(x - 2.75)}" y="${n(y - 2.75)}" width="5.5" height="5.5"/>`;

/** The stretches between values that are not numbers. */
function unbroken(points: readonly Point[]): Point[][] {
  const runs: Point[][] = [[]];
  for (const point of points) {
    if (Number.isFinite(point.value)) runs.at(-1)!.push(point);
    else if (runs.at(-1)!.length > 0) runs.push([]);
  }
  return runs.filter((run) => run.length > 0);
}

export const sample = (look: ChartLine['look']): Markup =>
  markup`<svg class="sample" viewBox="0 0 28 10" aria-hidden="true"><g class="${look}"><path class="line" d="M1,5L27,5"/>${dot(look, 14, 5)}</g></svg>`;

const lastValue = (points: readonly Point[]): number => points.findLast(({ value }) => Number.isFinite(value))!.value;

/** A tenth of a pixel is exact enough. */
const n = (value: number): string => String(Math.round(value * 10) / 10);
