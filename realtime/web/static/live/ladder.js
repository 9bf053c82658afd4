// @ts-check
// Which way to the server is taken: down a rung when one fails twice in a row, or hangs, while HTTP works, and up again later. Pure.

/** @typedef {import("./transports.js").Via} Via */

/** @type {readonly Via[]} best first */
export const RUNGS = ["websocket", "sse", "polling"];
const FAILURES = 2;
const FIRST_MS = 120_000;
/** The longest time until the best way is looked for again. */
export const MOST_MS = 1_800_000;

export class Ladder {
  /** @param {{at: number, upAt: number}} [before] where the page before this one stood */
  constructor({ at, upAt } = { at: 0, upAt: Infinity }) {
    this.at = at;
    this.failures = 0;
    this.waitMs = FIRST_MS;
    this.upAt = upAt;
  }

  /** Begins at the top, as on another network. */
  reset() {
    this.up();
    this.waitMs = FIRST_MS;
  }

  get rung() {
    return RUNGS[this.at];
  }

  /**
   * It could not be opened, or was cut at once, though HTTP works.
   * @param {number} now @param {Via} rung @param {boolean} [hung] nothing came back at all, which takes too long to try again
   * @returns {boolean} whether that leads to another one
   */
  failed(now, rung, hung = false) {
    if (rung !== this.rung) return false;
    this.failures += hung ? FAILURES : 1;
    if (this.failures < FAILURES || this.at === RUNGS.length - 1) return false;
    this.at += 1;
    this.failures = 0;
    this.again(now);
    return true;
  }

  /** The present rung bears. */
  held() {
    this.failures = 0;
    if (this.at === 0) this.waitMs = FIRST_MS;
  }

  /** Whether it is time to see if the best way is open again. @param {number} now */
  due(now) {
    return now >= this.upAt;
  }

  /** When to look next, less and less often. @param {number} now */
  again(now) {
    this.upAt = now + this.waitMs;
    this.waitMs = Math.min(MOST_MS, this.waitMs * 2);
  }

  /** The best way is open again. */
  up() {
    this.at = 0;
    this.failures = 0;
    this.upAt = Infinity;
  }
}
