// @ts-check
// The way that the page before this one found: a tab does not find out anew with each page that its network lets no WebSocket through.

import { MOST_MS, RUNGS } from "./ladder.js";

const KEY = "nowserving.way";

/** @returns {{at: number, upAt: number} | undefined} */
export function recalled() {
  try {
    const { at, upAt } = JSON.parse(sessionStorage.getItem(KEY) ?? "{}");
    const left = upAt - Date.now();
    return at > 0 && at in RUNGS && left > 0 && left <= MOST_MS ? { at, upAt } : undefined;
  } catch {
    return undefined; // nothing may be kept here, or it is nothing of ours
  }
}

/** @param {{at: number, upAt: number}} ladder */
export function remember({ at, upAt }) {
  try {
    if (at) sessionStorage.setItem(KEY, JSON.stringify({ at, upAt }));
    else sessionStorage.removeItem(KEY);
  } catch {
    // Then the next page finds out for itself.
  }
}
