// @ts-check
// The way that the page before this one found: a tab does not find out anew with each page that its network lets no WebSocket through.

const KEY = "nowserving.way";
/** Rungs of the ladder below the first. */
const KNOWN = [1, 2];
/** For longer than that nothing is believed: the phone is elsewhere by then. */
const LONGEST_MS = 1_800_000;

/** @returns {{at: number, upAt: number} | undefined} */
export function recalled() {
  try {
    const { at, upAt } = JSON.parse(sessionStorage.getItem(KEY) ?? "{}");
    const left = upAt - Date.now();
    return KNOWN.includes(at) && left > 0 && left <= LONGEST_MS ? { at, upAt } : undefined;
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
