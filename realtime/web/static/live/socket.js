// @ts-check
// One live connection to the server: signs in, subscribes, answers pings, resumes after every break, and finds another way where one is blocked.

import { attend } from "./attention.js";
import { Calls, LiveError, dropped, inTime } from "./calls.js";
import { ticking, within } from "./clock.js";
import { verdict } from "./codes.js";
import { Freshness } from "./freshness.js";
import { Ladder } from "./ladder.js";
import { recalled, remember } from "./remembered.js";
import { Retry } from "./retry.js";
import { Topics } from "./topics.js";
import { opens } from "./transport_ws.js";
import { TRANSPORTS } from "./transports.js";

/** @typedef {import("./options.js").LiveOptions} LiveOptions */
/** @typedef {import("./options.js").Final} Final */
/** @typedef {import("./reducer.js").Push & {snapshot?: import("./reducer.js").Snapshot, epoch?: string}} Message */

const PING_MS = 27_500;
const GRACE_MS = 10_000;
/** Nobody waits longer for a way to open, and halfway it is asked whether plain requests are answered. */
const OPENS_MS = 6_000;
const PROBE_MS = 5_000;
const RENEW_EARLY_MS = 45_000;
/** A connection that breaks sooner was cut by something that does not like it. */
const YOUNG_MS = 5_000;
const RESTARTING = 1012;
const OVERLOADED = 1013;
const SIGN_IN_AGAIN = 4401;

export { LiveError };

export class Live {
  /** @param {LiveOptions} options */
  constructor(options) {
    this.options = options;
    this.topics = new Topics(options.topics ?? []);
    this.calls = new Calls();
    this.retry = new Retry();
    this.ladder = new Ladder(recalled());
    this.freshness = new Freshness(Date.now(), options.onState);
    /** @type {import("./transports.js").Transport | null} */ this.transport = null;
    this.openedAt = 0;
    this.opened = false;
    /** Whether plain requests are answered while the way does not open; null: not asked yet. @type {boolean | null} */ this.reached = null;
    /** The way that was tried last. */
    this.dialled = this.ladder.rung;
    /** @type {LiveError | null} */ this.lastError = null;
    this.opening = false;
    this.signedIn = false;
    this.ended = false;
    this.nextTry = 0;
    this.deadline = Infinity;
    this.renewAt = Infinity;
    const stops = [
      ticking(1000, () => this.tick()),
      attend({
        online: () => (this.ladder.reset(), remember(this.ladder), this.comeBack(Math.random() * 1000)),
        offline: () => (this.drop(Infinity), this.freshness.stale()),
        asleep: () => this.drop(Infinity),
        awake: () => this.comeBack(0),
        shown: (awayMs) => (!this.signedIn || awayMs > PROBE_MS) && this.comeBack(0),
      }),
    ];
    this.stop = () => stops.forEach((stop) => stop());
    void this.open();
  }

  /**
   * Sends a command, for example `{call_next: {store_id, queue, desk}}`.
   * @param {Record<string, any>} command
   * @returns {Promise<any>} the server's `ok`; rejects with a LiveError
   */
  send(command) {
    return this.signedIn ? this.calls.ask(this.transport, command) : Promise.reject(dropped());
  }

  /** The way to the server: "websocket", "sse" or "polling". */
  get via() {
    return this.ladder.rung;
  }

  /** Ends the connection for good. */
  close() {
    this.ended = true;
    this.stop();
    this.drop(Infinity);
  }

  /** Connects within `waitMs`, or makes sure that the present connection still works. @param {number} waitMs */
  comeBack(waitMs) {
    if (this.signedIn) this.probe();
    else if (!this.transport) this.tryAt(this.retry.notBeforeWish(Date.now() + waitMs));
  }

  /** A phone that slept may hold a dead socket: ask for what was missed, and expect an answer soon. */
  probe() {
    for (const topic of this.topics.names) void this.subscribe(topic);
    this.deadline = Math.min(this.deadline, Date.now() + PROBE_MS);
    this.tick();
  }

  /** All waiting is done by comparing clocks here, because timers sleep with the tab. */
  tick() {
    const now = Date.now();
    this.calls.giveUp(now);
    this.freshness.tick(now);
    if (this.transport && !this.opened && this.reached === null && now > this.openedAt + OPENS_MS / 2) void this.ask(this.transport);
    // Who slept until now knows nothing of what would have come meanwhile.
    if (now > this.deadline) this.broke(!this.opened && this.reached === true && now < this.deadline + GRACE_MS);
    if (this.freshness.state === "live") this.lives(now);
    if (now > this.renewAt) void this.renew();
    if (!this.transport && now >= this.nextTry && document.visibilityState === "visible") void this.open();
  }

  /** All is well. @param {number} now */
  lives(now) {
    this.retry.live(now);
    if (now - this.openedAt > YOUNG_MS) this.ladder.held();
    if (this.ladder.due(now) && document.visibilityState === "visible") void this.lookUp(now);
  }

  /** Sees whether the best way is open again, and takes it. @param {number} now */
  async lookUp(now) {
    this.ladder.again(now);
    remember(this.ladder);
    if (!(await opens()) || this.ended) return;
    this.ladder.up();
    remember(this.ladder);
    this.drop(Date.now());
  }

  /** The way does not open: is it the way, or all of the network? @param {import("./transports.js").Transport} transport */
  async ask(transport) {
    this.reached = false;
    const works = await httpWorks();
    if (this.transport === transport) this.reached = works;
  }

  /** The connection ended without a word of the server's. @param {boolean} [hung] it was never there, though the server answers */
  broke(hung = false) {
    const now = Date.now();
    if (hung && this.ladder.failed(now, this.dialled, true)) {
      this.changed();
      this.drop(this.retry.notBeforeWish(now));
      return;
    }
    if (now - this.openedAt < YOUNG_MS || this.freshness.state !== "live") void this.judge(this.dialled);
    this.drop(this.retry.next(now));
  }

  /** There is another way from here on. */
  changed() {
    remember(this.ladder);
    this.retry.attempt = 0;
  }

  /** Whether it was the way that failed, or all of the network. @param {import("./transports.js").Via} rung */
  async judge(rung) {
    const now = Date.now();
    if (!(await httpWorks()) || !this.ladder.failed(now, rung)) return;
    this.changed();
    if (!this.transport) this.tryAt(this.retry.notBeforeWish(now));
  }

  /** @param {number} at milliseconds */
  tryAt(at) {
    this.nextTry = at;
    if (Number.isFinite(at) && !this.ended) setTimeout(() => this.tick(), Math.max(0, at - Date.now()) + 1);
  }

  async open() {
    if (this.ended || this.opening || this.transport) return;
    this.opening = true;
    if (this.ladder.due(Date.now())) this.ladder.up();
    try {
      const token = await inTime(this.options.token(this.retry.refused > 0));
      if (!this.ended) this.dial(token);
    } catch (error) {
      this.noToken(/** @type {any} */ (error));
    } finally {
      this.opening = false;
    }
  }

  /** @param {string} token */
  dial(token) {
    this.dialled = this.ladder.rung;
    const transport = new TRANSPORTS[this.dialled]({
      onOpen: () => {
        if (this.transport !== transport) return;
        this.opened = true;
        this.deadline = Date.now() + GRACE_MS;
        void this.signIn(token);
      },
      onMessage: (message) => this.transport === transport && this.heard(message),
      onClose: (code, reason, error) => this.transport === transport && this.closed(code, reason, error),
    });
    this.transport = transport;
    this.opened = false;
    this.reached = null;
    this.openedAt = Date.now();
    this.deadline = this.openedAt + OPENS_MS;
    transport.open();
  }

  /** @param {{status?: number, retry?: boolean, code?: string, message?: string}} error */
  noToken({ status = 0, retry = false, code = "", message = "" }) {
    if (status < 400 || status >= 500 || retry) this.drop(this.retry.next(Date.now()));
    else this.finish({ code: status === 401 ? SIGN_IN_AGAIN : 0, error: code, message });
  }

  /** @param {string} token */
  async signIn(token) {
    const ok = await this.authenticate(token);
    if (!ok) return;
    if (!this.options.topics) this.topics.set(ok.topics ?? []);
    if (this.options.resume === false) this.topics.forget();
    this.signedIn = true;
    this.freshness.catchingUp();
    this.options.onSignedIn?.(ok);
    for (const topic of this.topics.names) void this.subscribe(topic);
  }

  /** Sends a fresh token before the present one ends. */
  async renew() {
    this.renewAt = Infinity;
    try {
      await this.authenticate(await inTime(this.options.token(true)));
    } catch {
      // Without a token the server closes with 4401 when the old one ends, and that is handled there.
    }
  }

  /** @param {string} token */
  async authenticate(token) {
    try {
      const ok = await this.calls.ask(this.transport, { authenticate: { token } });
      this.renewAt = ok.expires_ms ? Math.max(Date.now() + RENEW_EARLY_MS, ok.expires_ms - RENEW_EARLY_MS) : Infinity;
      return ok;
    } catch (error) {
      // A refusal is followed by its close code, a silence by the deadline.
      this.lastError = /** @type {LiveError} */ (error);
      return null;
    }
  }

  /** @param {string} topic */
  async subscribe(topic) {
    const wanted = this.topics.begin(topic);
    if (!wanted) return;
    const transport = this.transport;
    this.freshness.catchingUp();
    try {
      const ok = await this.calls.ask(transport, { subscribe: wanted });
      this.topics.stand(topic, ok);
      if (ok.recovered) for (const push of ok.events) this.options.onPush(push);
      else this.options.onSnapshot(topic, ok.snapshot, ok.seq);
      if (this.topics.caughtUp) this.freshness.live();
    } catch (error) {
      if (!(error instanceof LiveError)) throw error;
      if (this.transport !== transport) return;
      // One that got no answer may have worked all the same: start over rather than guess.
      if (error.code === "dropped") this.broke();
      else if (error.retry) this.drop(this.retry.next(Date.now()));
      else this.finish({ code: 0, error: error.code, message: error.message });
    }
  }

  /** @param {Record<string, any>} message */
  heard(message) {
    const now = Date.now();
    this.deadline = now + (this.options.pingMs ?? PING_MS) + GRACE_MS;
    this.freshness.heard(now);
    if (message.id !== undefined) this.calls.answer(/** @type {any} */ (message));
    else if (message.topic !== undefined) this.take(/** @type {any} */ (message));
    else if (message.presence) this.options.onPresence?.(message.presence);
    else if (message.disconnect) this.retry.told(now, message.disconnect.after_ms ?? 0);
    else this.transport?.send({});
  }

  /** @param {Message} push */
  take(push) {
    if (push.snapshot) {
      this.topics.stand(push.topic, { epoch: push.epoch ?? "", seq: push.seq });
      this.options.onSnapshot(push.topic, push.snapshot, push.seq);
      return;
    }
    const next = this.topics.take(push.topic, push.seq);
    if (next === "apply") this.options.onPush(push);
    else if (next === "gap") void this.subscribe(push.topic);
  }

  /** Lets go of the connection. @param {number} nextTry when to come back, milliseconds */
  drop(nextTry) {
    const transport = this.transport;
    this.transport = null;
    this.signedIn = false;
    this.deadline = this.renewAt = Infinity;
    transport?.close();
    this.topics.abandon();
    this.calls.giveUp();
    if (!this.ended) this.freshness.lost(Date.now());
    this.tryAt(nextTry);
  }

  /** @param {number} code @param {string} reason @param {string} [error] wire code */
  closed(code, reason, error = this.lastError?.code ?? "") {
    const { again, sentence } = verdict(code, reason || (code >= 4400 ? this.lastError?.message : ""));
    if (code === SIGN_IN_AGAIN && this.retry.refused++ === 0) this.drop(Date.now());
    else if (again && code < RESTARTING) this.broke();
    else if (again) this.drop(this.retry.next(Date.now(), code === OVERLOADED));
    else this.finish({ code, error, message: sentence });
  }

  /** @param {Final} final */
  finish(final) {
    this.close();
    this.freshness.stale();
    this.options.onFinal?.(final);
  }
}

/** Whether the server answers plain requests: a way is at fault only then. @returns {Promise<boolean>} */
async function httpWorks() {
  try {
    return (await fetch("/readyz", { cache: "no-store", signal: within(PROBE_MS) })).status < 500;
  } catch {
    return false;
  }
}

/**
 * Opens a live connection that keeps itself alive until `close()` or a final answer.
 * @param {LiveOptions} options
 * @returns {Live}
 */
export function connect(options) {
  return new Live(options);
}
