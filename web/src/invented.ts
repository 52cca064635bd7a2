/** The mark of invented prices, in words. */

/** The sentence about a symbol in `Connection.invented`. */
export const INVENTED = "This symbol is not on the recorded tape: its prices are invented";
