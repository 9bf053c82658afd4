// @ts-check
// Messages by asking again and again: what is left where nothing may stay open.

import { HttpTransport } from "./transport_http.js";

const POLL_MS = 3_000;

export class PollTransport extends HttpTransport {
  /** @param {import("./transports.js").Heard} heard */
  constructor(heard) {
    super(heard);
    /** Where each topic stands; null: nothing is known yet. @type {Map<string, {epoch: string, seq: number} | null>} */
    this.at = new Map();
    /** One request at a time, so that answers come in the order of the questions. @type {Promise<void>} */
    this.line = Promise.resolve();
    /** @type {ReturnType<typeof setTimeout> | undefined} */ this.timer = undefined;
  }

  /** @param {number} id @param {{topic: string, since?: {epoch: string, seq: number}}} wanted */
  subscribe(id, { topic, since }) {
    this.line = this.line.then(() => {
      this.at.set(topic, since ?? null);
      return this.guarded(() => this.look(topic, id));
    });
    this.later();
  }

  close() {
    super.close();
    clearTimeout(this.timer);
  }

  later() {
    clearTimeout(this.timer);
    if (!this.over) this.timer = setTimeout(() => this.again(), POLL_MS * (0.75 + Math.random() / 2));
  }

  again() {
    for (const topic of this.at.keys()) this.line = this.line.then(() => this.guarded(() => this.look(topic)));
    this.line = this.line.then(() => this.later());
  }

  /** @param {string} topic @param {number} [id] of the subscription that this answers */
  async look(topic, id) {
    if (this.over) return;
    const at = this.at.get(topic);
    const since = at ? `${at.epoch}:${at.seq}` : "";
    const path = `/v1/live?topic=${encodeURIComponent(topic)}${since ? `&since=${encodeURIComponent(since)}` : ""}`;
    const response = await this.fetch(path, { headers: since ? { "If-None-Match": `"${since}"` } : {} });
    if (response.status === 304) {
      this.say(id === undefined ? {} : { id, ok: { topic, ...at, recovered: true, events: [] } });
      return;
    }
    const standing = await response.json();
    this.at.set(topic, { epoch: standing.epoch, seq: standing.seq });
    if (id !== undefined) this.say({ id, ok: standing });
    else if (standing.recovered) for (const push of standing.events) this.say(push);
    else this.say(standing);
  }
}
