// @ts-check
// The status dot and its words: live, catching up, no connection since 21:04.

import { clockTime } from "./clock.js";

/** @typedef {import("./freshness.js").LiveState} LiveState */

/**
 * @param {LiveState} state
 * @param {number} sinceMs when the server was last heard
 * @returns {string}
 */
export function statusText(state, sinceMs) {
  if (state === "live") return "Live";
  return state === "catching_up" ? "Catching up" : `No connection since ${clockTime(sinceMs)}`;
}

/**
 * Fills a `.status` element; usable as `onState`.
 * @param {HTMLElement} element
 * @param {(state: LiveState, sinceMs: number) => string} [words] in another language
 * @returns {(state: LiveState, sinceMs: number) => void}
 */
export function showStatus(element, words = statusText) {
  return (state, sinceMs) => {
    element.dataset.live = state;
    element.textContent = words(state, sinceMs);
  };
}
