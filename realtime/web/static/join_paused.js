// @ts-check
// What a guest sees while every line is paused: a sentence in place of the form, until somebody can join again.

import { ticking } from "./live/clock.js";
import { byId, say } from "./page.js";
import { phrase } from "./phrases.js";

const LOOK_MS = 10_000;

/**
 * What the page knows of the lines, with or without the code being this phone's.
 * @typedef {{queues: {id: string, paused: boolean}[], waiting: Record<string, number>}} Lines
 */

/** @param {Lines} lines */
export const allPaused = ({ queues }) => queues.every(({ paused }) => paused);

/** The lines as this page would show them if it were opened now; null when it would show something else. @returns {Promise<Lines | null>} */
export async function lookAgain() {
  const response = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
  if (!response.ok || response.redirected) return null;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const data = JSON.parse(page.getElementById("page-data")?.textContent || "{}");
  return data.queues ? data : null;
}

/**
 * Shows the sentence or the form, and looks again by itself while it is the sentence.
 * @param {(lines: Lines) => void} onOpen somebody can join again
 */
export function createPaused(onOpen) {
  /** @type {(() => void) | null} */
  let stop = null;
  let looking = false;

  async function look() {
    if (looking || document.hidden) return;
    looking = true;
    try {
      const lines = await lookAgain();
      if (!lines) location.reload();
      else if (!allPaused(lines)) onOpen(lines);
    } catch {
      // The server cannot be reached; the next look may.
    } finally {
      looking = false;
    }
  }

  return {
    /** @returns {boolean} */
    shown: () => stop !== null,
    /** @param {boolean} paused */
    show(paused) {
      byId("paused").hidden = !paused;
      byId("join-form").hidden = paused;
      say(byId("join-title"), phrase(paused ? "join.nobody" : "join.title"));
      byId("paused-waits").hidden = false;
      byId("look-again").hidden = true;
      if (paused) stop ??= ticking(LOOK_MS * (0.8 + Math.random() * 0.4), () => void look());
      else if (stop) {
        stop();
        stop = null;
        byId("join-title").focus();
      }
    },
  };
}
