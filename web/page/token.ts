/** The API token of this tab, kept until the tab is closed. */

const KEY = "tapecast-token";

/** If storage is not allowed, the token is kept until the page is reloaded. */
let unstored: string | null = null;

export function readToken(): string | null {
  try {
    return sessionStorage.getItem(KEY) ?? unstored;
  } catch {
    return unstored;
  }
}

/** Keep a token; null removes it. */
export function writeToken(token: string | null): void {
  unstored = token;
  try {
    if (token === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, token);
  } catch {}
}
