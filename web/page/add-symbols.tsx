import { type FormEvent, type ReactNode, useState } from "react";
import { parseWords } from "./address.ts";

/** The field for new symbols. It names unusable words; `bad` are those in the address. */
export function AddSymbols(props: {
  bad: readonly string[];
  onAdd: (symbols: readonly string[]) => void;
}): ReactNode {
  const [bad, setBad] = useState(props.bad);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const words = parseWords(`${new FormData(form).get("symbols")}`);
    props.onAdd(words.symbols);
    setBad(words.bad);
    form.reset();
  };
  return (
    <form id="add" className="field" onSubmit={submit}>
      <label className="unseen" htmlFor="symbols">
        Symbols
      </label>
      <input
        id="symbols"
        name="symbols"
        placeholder="SPY, BTC/USD"
        autoComplete="off"
        autoCapitalize="characters"
        spellCheck={false}
        required
      />
      <button type="submit">Watch</button>
      <p id="refused" role="alert" className="problem">
        {bad.length > 0 && refusal(bad)}
      </p>
    </form>
  );
}

function refusal(bad: readonly string[]): string {
  const named = bad.map((word) => `'${word}'`).join(", ");
  const complaint = bad.length === 1 ? "is not a symbol" : "are not symbols";
  return `${named} ${complaint}: expected letters such as SPY, BTC/USD for a pair, or AAPL261218C00250000 for an option`;
}
