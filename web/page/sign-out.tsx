import type { ReactNode } from "react";
import { useConnection } from "../src/index.ts";
import { readToken, writeToken } from "./token.ts";

/** Forgets the token and reloads the page, which discards all data. */
export function SignOut(): ReactNode {
  const { state } = useConnection();
  if (state === "sign-in" || readToken() === null) return null;
  const leave = () => {
    writeToken(null);
    location.reload();
  };
  return (
    <button type="button" id="sign-out" onClick={leave}>
      Sign out
    </button>
  );
}
