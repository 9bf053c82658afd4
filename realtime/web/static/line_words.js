// @ts-check
// What guests' pages say of a line and of their connection. The templates say the same without JavaScript.

import { clockTime } from "./live/clock.js";
import { faultPhrase, locale, phrase } from "./phrases.js";

/** @param {number} count parties @returns {string} */
export function aheadText(count) {
  return count === 0 ? phrase("line.next") : phrase("line.ahead", { count });
}

/** @param {number[]} range [from, to] in minutes, empty while unknown @returns {string} */
export function minutesText(range) {
  if (range.length < 2) return "";
  const [least, most] = range;
  return least === 0 ? phrase("line.up_to", { most }) : phrase("line.about", { least, most });
}

/** @param {number} ms @param {string} [timezone] IANA name @returns {string} the time of day */
export function timeOfDay(ms, timezone) {
  return clockTime(ms, timezone, locale);
}

/** @param {import("./live/freshness.js").LiveState} state @param {number} sinceMs when the server was last heard @returns {string} */
export function freshText(state, sinceMs) {
  if (state === "live") return phrase("page.live");
  return state === "catching_up" ? phrase("page.catching_up") : phrase("page.stale", { time: timeOfDay(sinceMs) });
}

/** Why it is over. @param {import("./live/socket.js").Final} final @returns {string} */
export function finalText({ code, error, message }) {
  /** @type {Record<number, string>} */
  const meant = { 4401: "not_signed_in", 4404: error || "store_not_found", 4410: "store_closed" };
  return faultPhrase({ code: meant[code] ?? error, message });
}
