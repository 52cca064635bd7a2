/** The chart's colours, taken from the page's styles. */

const COLOURS = ["ink", "secondary", "line", "accent", "up", "down"] as const;

export type Colours = Record<(typeof COLOURS)[number], string>;

/** The colour of the prices: above or below the previous close, or neither. */
export type Tone = "up" | "down" | "accent";

/** Return the page's present colours as `rgb(…)`, the only form that the chart reads. */
export function readColours(element: HTMLElement): Colours {
  const found = COLOURS.map((name) => {
    element.style.color = `var(--${name})`;
    return [name, getComputedStyle(element).color];
  });
  element.style.color = "";
  return Object.fromEntries(found);
}

/** Return the options of everything around the prices. */
export const frameOptions = ({ ink, line, secondary }: Colours, fontFamily: string) => ({
  layout: { textColor: secondary, fontFamily },
  grid: { vertLines: { visible: false }, horzLines: { color: line } },
  crosshair: {
    vertLine: { color: secondary, labelBackgroundColor: ink },
    horzLine: { color: secondary, labelBackgroundColor: ink },
  },
});

/** Return the options of the line of prices and the area below it. */
export const areaOptions = (lineColor: string) => ({
  lineColor,
  topColor: withAlpha(lineColor, 0.22),
  bottomColor: withAlpha(lineColor, 0),
});

const withAlpha = (rgb: string, alpha: number) =>
  rgb.replace(/^rgba?\(([^)]+)\)$/, (_, parts: string) => {
    const [red, green, blue] = parts.split(/[\s,/]+/);
    return `rgba(${red}, ${green}, ${blue}, ${alpha})`;
  });
