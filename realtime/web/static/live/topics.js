// @ts-check
// Where each topic stands: its epoch and seq, and what a push means there. Pure.

/** @typedef {{epoch: string, seq: number, syncing: boolean}} Position */

const SPARSE = "ticket/";

export class Topics {
  /** @param {string[]} names */
  constructor(names) {
    /** @type {Map<string, Position>} */
    this.positions = new Map();
    this.set(names);
  }

  /** These topics and no others; those known already stand where they stood. @param {string[]} names */
  set(names) {
    const known = this.positions;
    this.positions = new Map(names.map((name) => [name, known.get(name) ?? { epoch: "", seq: 0, syncing: false }]));
  }

  /** The next subscriptions ask for everything. */
  forget() {
    for (const position of this.positions.values()) position.epoch = "";
  }

  get names() {
    return [...this.positions.keys()];
  }

  /** Every topic is up to date as far as can be known. */
  get caughtUp() {
    return [...this.positions.values()].every((position) => position.epoch !== "" && !position.syncing);
  }

  /**
   * The subscription to ask for, resuming where the topic stands; null while one is under way.
   * Until its answer, pushes of the topic are dropped: the answer holds them.
   * @param {string} name
   * @returns {{topic: string, since?: {epoch: string, seq: number}} | null}
   */
  begin(name) {
    const position = this.positions.get(name);
    if (!position || position.syncing) return null;
    position.syncing = true;
    return position.epoch ? { topic: name, since: { epoch: position.epoch, seq: position.seq } } : { topic: name };
  }

  /** @param {string} name @param {{epoch: string, seq: number}} at */
  stand(name, { epoch, seq }) {
    this.positions.set(name, { epoch, seq, syncing: false });
  }

  /** The subscription got no answer. @param {string} [name] all, if left out */
  abandon(name) {
    for (const [key, position] of this.positions) if (name === undefined || name === key) position.syncing = false;
  }

  /**
   * What to do with a push: apply it, drop it (old, or answered soon), or ask again because some are missing.
   * Each push of a ticket's own topic is its whole state, numbered by the store's events: there is nothing to miss between two.
   * @param {string} name @param {number} seq
   * @returns {"apply" | "drop" | "gap"}
   */
  take(name, seq) {
    const position = this.positions.get(name);
    if (!position || position.syncing || seq <= position.seq) return "drop";
    if (seq > position.seq + 1 && !name.startsWith(SPARSE)) return "gap";
    position.seq = seq;
    return "apply";
  }
}
