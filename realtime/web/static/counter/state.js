// @ts-check
/** All that the counter shows, as one value, and the only function that changes it. Pure: no page, no socket, no clock. */

import { applyPush, emptyState, fromSnapshot } from "../live/reducer.js";
import { isLive } from "./moves.js";

/**
 * @typedef {import("../live/reducer.js").State} LiveView
 * @typedef {import("../live/reducer.js").Ticket} Ticket
 * @typedef {import("../live/reducer.js").Queue} Queue
 * @typedef {import("../live/reducer.js").Push} Push
 * @typedef {import("../live/reducer.js").Snapshot} Snapshot
 * @typedef {import("../live/freshness.js").LiveState} LiveState
 * @typedef {import("../live/options.js").Presence} Presence
 * @typedef {import("../session.js").Account} Account
 * @typedef {{store_id: string, state: string, tickets: number, report_sha256: string, files: ReportFile[], deliveries: Record<string, any>[],
 *   waits_for: string, receipt: SignedReceipt|null}} Closing
 * @typedef {{name: string, media_type: string, bytes: number, sha256: string, about: string}} ReportFile
 * @typedef {{receipt: Receipt, signature: string}} SignedReceipt
 * @typedef {{store_id: string, opened_ms: number, closed_ms: number, deleted_ms: number, tickets: number,
 *   report: Record<string, string>, delivered: boolean}} Receipt
 *
 * @typedef {{phones: number, boards: number, open: Set<number>, all: boolean}} Present `open`: tickets whose page is open
 *
 * @typedef {object} Counter
 * @property {Account} account
 * @property {LiveView} live
 * @property {boolean} known whether the first snapshot is here
 * @property {LiveState} connection
 * @property {number} sinceMs when the server was last heard
 * @property {Present|null} present who looks at the store; null: not known
 * @property {Set<string>} pending what waits for an answer: "ticket/12", "queue/A"
 * @property {string} queue the queue that keys and the phone's single column are about
 * @property {string} desk
 * @property {boolean} codeShown whether the QR stands beside the queues
 * @property {Closing|null} closing
 *
 * @typedef {{type: "snapshot", snapshot: Snapshot, seq: number}
 *   | {type: "push", push: Push}
 *   | {type: "answered", ticket: Ticket, seen: Ticket|undefined}
 *   | {type: "connection", connection: LiveState, sinceMs: number}
 *   | {type: "presence", presence: Presence|null}
 *   | {type: "account", account: Account}
 *   | {type: "pending", key: string, on: boolean}
 *   | {type: "queue", queue: string}
 *   | {type: "desk", desk: string}
 *   | {type: "code_shown", shown: boolean}
 *   | {type: "closing", closing: Closing}} Change
 */

/** @param {Account} account @param {string} desk @param {boolean} codeShown @returns {Counter} */
export function firstState(account, desk, codeShown) {
  return {
    account,
    live: emptyState(),
    known: false,
    connection: "catching_up",
    sinceMs: 0,
    present: null,
    pending: new Set(),
    queue: "",
    desk,
    codeShown,
    closing: null,
  };
}

/** @param {Counter} state @param {Change} change @returns {Counter} */
export function reduce(state, change) {
  switch (change.type) {
    case "snapshot":
      return withQueue({ ...state, known: true, live: fromSnapshot(change.snapshot, change.seq) });
    case "push":
      return withQueue({ ...state, live: applyPush(state.live, change.push) });
    case "answered":
      return answered(state, change.ticket, change.seen);
    case "connection":
      // Who looks is told anew on the next connection; a moment without one changes little.
      return { ...state, connection: change.connection, sinceMs: change.sinceMs, present: change.connection === "stale" ? null : state.present };
    case "presence":
      return { ...state, present: change.presence && presentOf(change.presence) };
    case "account":
      return { ...state, account: change.account };
    case "pending": {
      const pending = new Set(state.pending);
      if (change.on) pending.add(change.key);
      else pending.delete(change.key);
      return { ...state, pending };
    }
    case "queue":
      return { ...state, queue: change.queue };
    case "desk":
      return { ...state, desk: change.desk };
    case "code_shown":
      return { ...state, codeShown: change.shown };
    case "closing":
      return { ...state, closing: change.closing };
  }
}

/** @param {Presence} presence @returns {Present} */
function presentOf({ public: phones, boards, open, all }) {
  return { phones, boards, open: new Set(open), all };
}

/** Whether a ticket's page is open; null: not known. @param {Present|null} present @param {number} id */
export function pageOpen(present, id) {
  if (present?.open.has(id)) return true;
  return present?.all ? false : null;
}

/** @param {Counter} state @returns {Counter} */
function withQueue(state) {
  if (state.live.queues.has(state.queue)) return state;
  return { ...state, queue: state.live.queues.keys().next().value ?? "" };
}

/**
 * An answer over HTTP may be older than what the socket has told since; then it says nothing new.
 * @param {Counter} state @param {Ticket} ticket @param {Ticket|undefined} seen the ticket as it was when the request was made
 * @returns {Counter}
 */
function answered(state, ticket, seen) {
  if (state.live.tickets.get(ticket.id) !== seen) return state;
  return { ...state, live: { ...state.live, tickets: new Map(state.live.tickets).set(ticket.id, ticket) } };
}

/**
 * A queue's tickets as its column shows them: those called, those being served, those waiting, and those whose visit is over.
 * @param {LiveView} live @param {string} queue
 */
export function column(live, queue) {
  const own = [...live.tickets.values()].filter((ticket) => ticket.queue === queue);
  const of = (/** @type {string} */ state) => own.filter((ticket) => ticket.state === state);
  const byPlace = (/** @type {Ticket} */ a, /** @type {Ticket} */ b) => a.place - b.place || a.id - b.id;
  return {
    called: of("called").sort((a, b) => a.called_ms - b.called_ms),
    serving: of("serving").sort((a, b) => (a.served_ms ?? 0) - (b.served_ms ?? 0)),
    waiting: of("waiting").sort(byPlace),
    ended: own.filter((ticket) => !isLive(ticket.state)).sort((a, b) => (b.ended_ms ?? 0) - (a.ended_ms ?? 0)),
  };
}

/** @typedef {{get: () => Counter, dispatch: (change: Change) => void, watch: (seen: (state: Counter) => void) => () => void}} Store `watch` returns what ends it */

/** Hold a state and tell its watchers, once for all changes of one turn. @param {Counter} first @returns {Store} */
export function createStore(first) {
  let state = first;
  let told = true;
  /** @type {Set<(state: Counter) => void>} */
  const watchers = new Set();
  return {
    get: () => state,
    dispatch(change) {
      const next = reduce(state, change);
      if (next === state) return;
      state = next;
      if (!told) return;
      told = false;
      queueMicrotask(() => {
        told = true;
        for (const seen of watchers) seen(state);
      });
    },
    watch(seen) {
      watchers.add(seen);
      return () => watchers.delete(seen);
    },
  };
}
