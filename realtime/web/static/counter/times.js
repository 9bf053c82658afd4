// @ts-check
/** Waits as people say them, and the one tick that keeps running times running. */

import { clockTime, runningTime, ticking } from "../live/clock.js";

/** A wait to the minute: "now", "9 min", "1 h 05". @param {number} ms */
export function waited(ms) {
  const minutes = Math.max(0, Math.floor(ms / 60_000));
  if (minutes < 1) return "now";
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")}`;
}

/** A day and a time: "22 Nov 2025, 21:04". @param {number} ms */
export function dayAndTime(ms) {
  return new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" }).format(ms);
}

/** The number of a day in a timezone, so that days can be compared. @param {number} ms @param {string} [timezone] */
function dayNumber(ms, timezone) {
  /** @type {Intl.DateTimeFormatOptions} */
  const options = { year: "numeric", month: "2-digit", day: "2-digit" };
  let day = "";
  try {
    day = new Intl.DateTimeFormat("en-GB", { ...options, timeZone: timezone || undefined }).format(ms);
  } catch {
    day = new Intl.DateTimeFormat("en-GB", options).format(ms);
  }
  const [date, month, year] = day.split("/").map(Number);
  return Date.UTC(year, month - 1, date) / 86_400_000;
}

/** A time with the day it is on, unless that is today: "21:04", "tomorrow 01:15", "24 Nov, 01:15". @param {number} ms @param {number} now @param {string} [timezone] */
export function dayWords(ms, now, timezone) {
  const days = dayNumber(ms, timezone) - dayNumber(now, timezone);
  const time = clockTime(ms, timezone);
  if (days === 0) return time;
  return days === 1 ? `tomorrow ${time}` : dayAndTime(ms);
}

/** @param {number} passedMs @param {string|undefined} as "running" or "waited" */
export const passed = (passedMs, as) => (as === "running" ? runningTime(passedMs) : waited(passedMs));

/**
 * Keep every element with `data-since` showing the time since then, as its `data-as` says.
 * @param {HTMLElement} root @param {() => number} now
 */
export function keepTime(root, now) {
  ticking(1000, () => {
    const present = now();
    for (const node of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll("[data-since]"))) {
      const text = passed(present - Number(node.dataset.since), node.dataset.as);
      if (node.textContent !== text) node.textContent = text;
    }
  });
}
