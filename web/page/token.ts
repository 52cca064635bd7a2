/** The API token that somebody signed in with: for this tab, until it is closed. */

const KEY = "tapecast-token";

/** Where storage is not allowed it lives as long as the page. */
let unstored: string | null = null;

export function readToken(): string | null {
  try {
    return sessionStorage.getItem(KEY) ?? unstored;
  } catch {
    return unstored;
  }
}

/** Keep a token, or with null forget it. */
export function writeToken(token: string | null): void {
  unstored = token;
  try {
    if (token === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, token);
  } catch {}
}
