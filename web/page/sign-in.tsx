import { type FormEvent, type ReactNode, useState } from "react";
import { useClient, useConnection } from "../src/index.ts";
import { readToken, writeToken } from "./token.ts";

/** The form for the API token, shown if the gateway requires one. */
export function SignIn(): ReactNode {
  const client = useClient();
  const { state, error } = useConnection();
  const [tried, setTried] = useState(() => readToken() !== null);
  if (state !== "sign-in") return null;
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    writeToken(`${new FormData(form).get("token")}`);
    form.reset();
    setTried(true);
    client.reconnect();
  };
  return (
    <form id="sign-in" className="sign-in" onSubmit={submit}>
      <h2>Sign in</h2>
      <p>This gateway asks for an API token. It is kept in this tab until the tab is closed.</p>
      <div className="field">
        <label htmlFor="token">API token</label>
        <input id="token" name="token" type="password" autoComplete="off" required />
        <button type="submit">Sign in</button>
      </div>
      <p role="alert" className="problem">
        {tried && error?.message}
      </p>
    </form>
  );
}
