/** Return the direction of a figure: the package's styles give it a colour and an arrow. */
export const toneOf = (value: number | null | undefined): "up" | "down" | undefined =>
  value ? (value > 0 ? "up" : "down") : undefined;
