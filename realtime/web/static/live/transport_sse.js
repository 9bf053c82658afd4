// @ts-check
// Messages over Server-Sent Events, read with fetch: EventSource cannot send the token in a header.

import { BROKEN } from "./codes.js";
import { EventParser } from "./event_parser.js";
import { HttpTransport, Refusal } from "./transport_http.js";

const SPARSE = "ticket/";

export class SseTransport extends HttpTransport {
  /** @param {import("./transports.js").Heard} heard */
  constructor(heard) {
    super(heard);
    /** Where each topic stands; null: nothing is known yet. @type {Map<string, {epoch: string, seq: number} | null>} */
    this.at = new Map();
    /** Subscriptions without an answer yet: topic -> id. @type {Map<string, number>} */
    this.asked = new Map();
    /** @type {AbortController | null} */ this.stream = null;
    this.planned = false;
  }

  /**
   * Every subscription begins the stream anew, for its answer must come in order with what follows it. Those that are asked for together
   * begin one.
   * @param {number} id @param {{topic: string, since?: {epoch: string, seq: number}}} wanted
   */
  subscribe(id, { topic, since }) {
    this.at.set(topic, since ?? null);
    this.asked.set(topic, id);
    this.plan();
  }

  renewed() {
    if (this.stream) this.plan();
  }

  plan() {
    if (this.planned) return;
    this.planned = true;
    queueMicrotask(() => {
      this.planned = false;
      if (!this.over) void this.guarded(() => this.listen());
    });
  }

  close() {
    super.close();
    this.stream?.abort();
  }

  /** Where all numbered topics stand; empty if one has to begin with its whole state. */
  get lastId() {
    const known = [...this.at].filter(([topic]) => !topic.startsWith(SPARSE)).map(([, at]) => at);
    const first = known[0];
    if (!first || known.some((at) => at?.epoch !== first.epoch)) return "";
    return `${first.epoch}:${Math.min(...known.map((at) => at?.seq ?? 0))}`;
  }

  async listen() {
    this.stream?.abort();
    const stream = (this.stream = new AbortController());
    try {
      const path = `/live/sse?topic=${[...this.at.keys()].map(encodeURIComponent).join(",")}`;
      /** @type {Record<string, string>} */
      const headers = { Accept: "text/event-stream" };
      if (this.lastId) headers["Last-Event-ID"] = this.lastId;
      const response = await this.fetch(path, { headers, signal: stream.signal });
      if (!response.body) throw new Refusal(BROKEN);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const parser = new EventParser();
      for (;;) {
        const { done, value } = await reader.read();
        if (stream.signal.aborted) return;
        if (done) throw new Refusal(BROKEN);
        for (const event of parser.feed(value)) if (!this.over) this.take(event.name, event.data);
      }
    } catch (fault) {
      // One that was given up for another says nothing any more; reading from one that broke throws whatever the browser likes.
      if (stream.signal.aborted) return;
      throw fault instanceof Refusal ? fault : new Refusal(BROKEN);
    }
  }

  /** @param {string} name @param {string} data */
  take(name, data) {
    if (name === "close") {
      const { code, reason } = JSON.parse(data);
      this.end(code, reason);
    } else if (name === "message") {
      this.tell(JSON.parse(data));
    } else {
      this.say({});
    }
  }

  /** @param {Record<string, any>} message */
  tell(message) {
    const { topic, epoch, seq } = message;
    if (topic === undefined) return this.say(message);
    this.at.set(topic, { epoch: epoch ?? this.at.get(topic)?.epoch ?? "", seq });
    const id = this.asked.get(topic);
    if (id !== undefined && "recovered" in message) {
      this.asked.delete(topic);
      this.say({ id, ok: message });
    } else if (message.recovered) {
      for (const push of message.events) this.say(push);
    } else {
      this.say(message);
    }
  }
}
