// @ts-check
// When to come back: full jitter, the server's own wish first, and patience that only a stable connection resets. Pure.

import { backOffMs } from "./clock.js";

const STABLE_MS = 30_000;

export class Retry {
  constructor() {
    this.attempt = 0;
    this.notBefore = 0;
    this.liveSince = Infinity;
    /** How often the token was refused since the last stable connection. */
    this.refused = 0;
  }

  /** The server asked to stay away for so long. @param {number} now @param {number} afterMs */
  told(now, afterMs) {
    this.notBefore = now + afterMs;
  }

  /** All is well at the moment. @param {number} now */
  live(now) {
    this.liveSince = Math.min(this.liveSince, now);
    if (now - this.liveSince > STABLE_MS) this.attempt = this.refused = 0;
  }

  /** The connection is gone: when to try again. @param {number} now @param {boolean} [full] the server has no room */
  next(now, full = false) {
    this.liveSince = Infinity;
    if (full) this.attempt = Math.max(this.attempt, 6);
    const wait = backOffMs(this.attempt);
    this.attempt += 1;
    return this.notBefore > now ? this.notBefore : now + wait;
  }

  /** Not before the server's wish. @param {number} at */
  notBeforeWish(at) {
    return Math.max(this.notBefore, at);
  }
}
