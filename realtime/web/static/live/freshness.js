// @ts-check
// How fresh the page is: live, catching up, or stale since the last word from the server. Pure: the time is an argument.

/** @typedef {"live" | "catching_up" | "stale"} LiveState */

const PATIENCE_MS = 5_000;

export class Freshness {
  /**
   * @param {number} now the page itself is news from the server
   * @param {(state: LiveState, sinceMs: number) => void} [onChange] told every change and the first state
   */
  constructor(now, onChange) {
    this.onChange = onChange;
    /** @type {LiveState} */ this.state = "catching_up";
    this.heardMs = now;
    this.staleAt = now + PATIENCE_MS;
    onChange?.(this.state, now);
  }

  /** @param {LiveState} state */
  become(state) {
    if (state === this.state) return;
    this.state = state;
    this.onChange?.(state, this.heardMs);
  }

  /** Something came from the server. @param {number} now */
  heard(now) {
    this.heardMs = now;
  }

  /** All topics are up to date. */
  live() {
    this.staleAt = Infinity;
    this.become("live");
  }

  /** The server answers and what was missed is on its way. */
  catchingUp() {
    this.staleAt = Infinity;
    this.become("catching_up");
  }

  /** No connection; a short loss is not worth a warning. @param {number} now */
  lost(now) {
    if (this.state === "stale") return;
    this.staleAt = Math.min(this.staleAt, now + PATIENCE_MS);
    this.become("catching_up");
  }

  /** There will be no news for now: offline, or over. */
  stale() {
    this.staleAt = Infinity;
    this.become("stale");
  }

  /** @param {number} now */
  tick(now) {
    if (now >= this.staleAt) this.stale();
  }
}
