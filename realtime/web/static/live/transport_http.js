// @ts-check
// What the two transports without a socket have in common: signing in, commands as requests, and refusals as close codes.

import { within } from "./clock.js";
import { BROKEN, codeOf } from "./codes.js";
import { requestOf } from "./requests.js";

const PATIENCE_MS = 10_000;

/** A request that was not answered as wished. `code` is the close code that says the same. */
export class Refusal extends Error {
  /** @param {number} code @param {{code?: string, detail?: string, retry?: boolean, field?: string | null}} [problem] */
  constructor(code, { code: error = "dropped", detail = "", retry = true, field = null } = {}) {
    super(detail);
    this.code = code;
    this.error = { code: error, message: detail || "The connection was lost. Try again in a moment.", retry, field };
  }
}

/** @implements {Transport} */
export class HttpTransport {
  /** @param {Heard} heard */
  constructor(heard) {
    this.heard = heard;
    this.token = "";
    this.over = false;
  }

  open() {
    queueMicrotask(() => this.over || this.heard.onOpen());
  }

  /** @param {Record<string, any>} message */
  send(message) {
    if (this.over) return false;
    const { id, authenticate, subscribe } = message;
    if (authenticate) void this.guarded(() => this.signIn(id, authenticate.token));
    else if (subscribe) this.subscribe(id, subscribe);
    else if (id !== undefined) void this.command(id, message);
    return true;
  }

  close() {
    this.over = true;
  }

  /** @param {number} id @param {string} token */
  async signIn(id, token) {
    const response = await this.fetch("/v1/live/topics", { token });
    const ok = await response.json();
    const renewed = this.token !== "";
    this.token = token;
    this.say({ id, ok });
    if (renewed) this.renewed();
  }

  /** There is a fresh token for what is under way. */
  renewed() {}

  /** @param {number} _id @param {{topic: string, since?: {epoch: string, seq: number}}} _wanted */
  subscribe(_id, _wanted) {
    throw new Error("each transport has its own way");
  }

  /** @param {number} id @param {Record<string, any>} message */
  async command(id, message) {
    try {
      const { method, path, body, own } = requestOf(message);
      const response = await this.fetch(path, { method, body, token: own ? "" : this.token });
      const text = await response.text();
      this.say({ id, ok: text ? JSON.parse(text) : {} });
    } catch (fault) {
      if (!(fault instanceof Refusal)) throw fault;
      this.say({ id, error: fault.error });
    }
  }

  /** Tells a message, unless nobody listens any more. @param {Record<string, any>} message */
  say(message) {
    if (!this.over) this.heard.onMessage(message);
  }

  /** Runs what ends the connection when it fails. @param {() => Promise<void>} work */
  async guarded(work) {
    try {
      await work();
    } catch (fault) {
      if (!(fault instanceof Refusal)) throw fault;
      this.end(fault.code, fault.message, fault.code === BROKEN ? "" : fault.error.code);
    }
  }

  /** @param {number} code @param {string} reason @param {string} [error] */
  end(code, reason, error) {
    if (this.over) return;
    this.close();
    this.heard.onClose(code, reason, error);
  }

  /**
   * @param {string} path
   * @param {{method?: string, body?: unknown, token?: string, headers?: Record<string, string>, signal?: AbortSignal}} [options]
   *   without a token the phone's ticket cookie says who asks
   * @returns {Promise<Response>} 200 to 204, or 304; a Refusal is thrown for any other
   */
  async fetch(path, { method = "GET", body, token = this.token, headers = {}, signal } = {}) {
    /** @type {Record<string, string>} */
    const sent = { Accept: "application/json", ...headers };
    if (token) sent.Authorization = `Bearer ${token}`;
    if (body !== undefined) sent["Content-Type"] = "application/json";
    /** @type {Response} */
    let response;
    try {
      response = await fetch(path, {
        method, headers: sent, cache: "no-store", credentials: "same-origin",
        body: body === undefined ? undefined : JSON.stringify(body), signal: signal ?? within(PATIENCE_MS),
      });
    } catch {
      throw new Refusal(BROKEN);
    }
    if (response.ok || response.status === 304) return response;
    // What is no problem document of this server's is a stranger's word on the way, and says nothing about the store.
    if (!(response.headers.get("Content-Type") ?? "").startsWith("application/problem+json")) throw new Refusal(BROKEN);
    const problem = await response.json().catch(() => ({}));
    throw new Refusal(codeOf(problem.code, response.status), problem);
  }
}

/** @typedef {import("./transports.js").Transport} Transport */
/** @typedef {import("./transports.js").Heard} Heard */
