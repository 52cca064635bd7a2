/** The formats of figures. */

type Figure = number | null | undefined;

/** The text in place of an absent figure. */
export const NONE = "—";

/** Each formats a figure, or returns "—" if it is absent. A signed format writes zero unsigned. */
export interface Formats {
  /** Two decimals, with the currency if it is known. */
  money(value: Figure): string;
  signedMoney(value: Figure): string;
  /** Two decimals; four if `like`, which defaults to the value, is below 1. */
  price(value: Figure, like?: Figure): string;
  signedPrice(value: Figure, like?: Figure): string;
  /** A fraction: 0.2 is +20.00%. */
  percent(value: Figure): string;
  quantity(value: Figure): string;
}

/**
 * Create the formats of a locale. Keep them: creating one takes as long as formatting 80 figures.
 *
 * The locale defaults to en-US, not to the browser's: a server that renders the page does not know
 * the browser's locale, and hydration requires the same text from both.
 *
 * @throws RangeError for an unknown locale or a malformed currency.
 */
export function formats(locale = "en-US", currency?: string | null): Formats {
  // Other values of signDisplay write -0.00.
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

/** Format milliseconds as seconds, minutes or hours: 12 s, 3 min, 65 h. */
export function age(ms: number): string {
  const minutes = ms / 60_000;
  return minutes < 1
    ? `${Math.max(0, Math.floor(ms / 1000))} s`
    : minutes < 60
      ? `${Math.floor(minutes)} min`
      : `${Math.floor(minutes / 60)} h`;
}
