/** How figures are written. */

type Figure = number | null | undefined;

/** What stands where there is no figure. */
export const NONE = "—";

/** Each writes a figure, and "—" where there is none; those with a sign have none at zero. */
export interface Formats {
  /** Two decimals, with the currency where one is known. */
  money(value: Figure): string;
  signedMoney(value: Figure): string;
  /** Two decimals, or four where the price that it is like is below 1. */
  price(value: Figure, like?: Figure): string;
  signedPrice(value: Figure, like?: Figure): string;
  /** A fraction: 0.2 is +20.00%. */
  percent(value: Figure): string;
  quantity(value: Figure): string;
}

/**
 * Make the formats of a locale; keep them: making one costs as much as eighty figures.
 *
 * The locale is en-US unless told, whatever a browser prefers: a server that renders the page does
 * not know the browser's, and hydration wants the same text from both.
 *
 * @throws RangeError for a locale or a currency that is none.
 */
export function formats(locale = "en-US", currency?: string | null): Formats {
  // Of the signs of Intl, these two never write -0.00.
  const make = (signed: boolean, digits: number, options: Intl.NumberFormatOptions = {}) => {
    const format = new Intl.NumberFormat(locale, {
      signDisplay: signed ? "exceptZero" : "negative",
      minimumFractionDigits: digits,
      maximumFractionDigits: digits,
      ...options,
    });
    return (value: Figure) => (value == null ? NONE : format.format(value));
  };
  const prices = (signed: boolean) => {
    const coarse = make(signed, 2);
    const fine = make(signed, 4);
    return (value: Figure, like = value) => ((like ?? 1) < 1 ? fine : coarse)(value);
  };
  const money: Intl.NumberFormatOptions = currency ? { style: "currency", currency } : {};
  return {
    money: make(false, 2, money),
    signedMoney: make(true, 2, money),
    price: prices(false),
    signedPrice: prices(true),
    percent: make(true, 2, { style: "percent" }),
    quantity: make(false, 0, { maximumFractionDigits: 9 }),
  };
}

/** Write milliseconds as seconds, minutes or hours: 12 s, 3 min, 65 h. */
export function age(ms: number): string {
  const minutes = ms / 60_000;
  return minutes < 1
    ? `${Math.max(0, Math.floor(ms / 1000))} s`
    : minutes < 60
      ? `${Math.floor(minutes)} min`
      : `${Math.floor(minutes / 60)} h`;
}
