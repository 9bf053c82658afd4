// @ts-check
/** What the staff tell the server to do: one request each, its button held while it runs, and a way to take it back. */

import { within } from "../live/clock.js";
import { Problem } from "../session.js";
import { canUndo, saidOf } from "./moves.js";
import { column } from "./state.js";

/**
 * @typedef {import("./state.js").Ticket} Ticket
 * @typedef {import("./moves.js").Change} Change
 * @typedef {{name: string, queue: string, phone: string, email?: string, party: number}} Guest
 * @typedef {{ticket: Ticket, link: string, svg: string}} WalkedIn
 */

/** After this a request has no answer and is given up: what the staff press must not happen minutes later. */
const PATIENCE_MS = 12_000;
const NOT_CONNECTED = "Not connected, so nothing was done. Wait until the counter is live again, then press once more.";
const NO_ANSWER = "No answer from the server. Look at the line before you press again: it may have happened.";

/** A key that no other request has; crypto.randomUUID is missing on plain http. */
const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");

/** "A18 · Di" @param {Ticket} ticket */
export const who = (ticket) => (ticket.name ? `${ticket.label} · ${ticket.name}` : ticket.label);

/**
 * @param {import("../session.js").Session} session
 * @param {import("./state.js").Store} store
 * @param {import("./toast.js").Toast} toast
 * @param {string} storeId
 */
export function createCommands(session, store, toast, storeId) {
  const base = `/v1/stores/${encodeURIComponent(storeId)}`;

  /** @param {unknown} fault */
  function complain(fault) {
    toast.show({ say: fault instanceof Error ? fault.message : String(fault), fault: true });
  }

  /**
   * Do one thing at a time to whatever `key` names.
   * @template T
   * @param {string} key @param {() => Promise<T>} work @returns {Promise<T|null>}
   */
  async function once(key, work) {
    if (store.get().pending.has(key)) return null;
    store.dispatch({ type: "pending", key, on: true });
    try {
      return await work();
    } catch (fault) {
      complain(fault);
      return null;
    } finally {
      store.dispatch({ type: "pending", key, on: false });
    }
  }

  /**
   * One request that happens now or not at all: it is never sent later, and never again by itself.
   * @param {string} method @param {string} path @param {unknown} body @param {string} [idempotencyKey]
   */
  async function act(method, path, body, idempotencyKey) {
    if (!navigator.onLine || store.get().connection === "stale") throw new Problem({ code: "offline", detail: NOT_CONNECTED, retry: true });
    const signal = within(PATIENCE_MS);
    try {
      return await session.api(method, path, body, { idempotencyKey, signal, repeat: false });
    } catch (fault) {
      if (signal.aborted && !(fault instanceof Problem)) throw new Problem({ code: "offline", detail: NO_ANSWER, retry: true });
      throw fault;
    }
  }

  /** What takes a move back, unless somebody has moved the ticket on since. @param {Ticket} moved @param {Change} back */
  const undo = (moved, back) => () => {
    const now = store.get().live.tickets.get(moved.id);
    if (now && now.state !== moved.state) {
      toast.show({ who: who(now), say: " was changed by somebody else since, so nothing was taken back.", fault: true });
      return;
    }
    void change(moved.id, back);
  };

  /** @param {string} queue */
  async function callNext(queue) {
    const before = store.get().live;
    const expected = column(before, queue).waiting[0];
    const path = `${base}/queues/${queue}/call-next`;
    const ticket = /** @type {Ticket|null} */ (
      await once(`queue/${queue}`, () => act("POST", path, { desk: store.get().desk }, newKey()))
    );
    if (!ticket) return;
    store.dispatch({ type: "answered", ticket, seen: before.tickets.get(ticket.id) });
    const other = expected && expected.id !== ticket.id ? ` ${expected.label} was called by somebody else just before.` : "";
    toast.show({ who: who(ticket), say: ` was called.${other}`, undo: undo(ticket, "undo") });
  }

  /** @param {number} id @param {Change} action */
  async function change(id, action) {
    const before = store.get().live.tickets.get(id);
    const path = `${base}/tickets/${id}`;
    const ticket = /** @type {Ticket|null} */ (
      await once(`ticket/${id}`, () => act("PATCH", path, { action, desk: store.get().desk }))
    );
    if (!ticket) return;
    store.dispatch({ type: "answered", ticket, seen: before });
    toast.show({ who: who(ticket), say: ` ${saidOf(action, ticket.state)}.`, undo: canUndo(action) ? undo(ticket, "undo") : null });
  }

  /** Throws a Problem, for the form to show beside its fields. @param {Guest} guest @param {string} key @returns {Promise<WalkedIn>} */
  async function walkIn(guest, key) {
    /** @type {WalkedIn} */
    const added = await act("POST", `${base}/tickets`, guest, key);
    store.dispatch({ type: "answered", ticket: added.ticket, seen: undefined });
    return added;
  }

  /** Say that a guest was added, with a way back. @param {Ticket} ticket */
  function tellAdded(ticket) {
    toast.show({ who: who(ticket), say: " is in line.", undo: undo(ticket, "remove") });
  }

  /** Throws a Problem, for the form to show beside its fields. @param {Record<string, unknown>} changes */
  async function edit(changes) {
    const { live } = store.get();
    const snapshot = await session.api("PUT", base, changes);
    if (store.get().live === live) store.dispatch({ type: "snapshot", snapshot, seq: live.seq });
  }

  /** @param {import("./state.js").Queue} queue @param {boolean} paused */
  async function pause(queue, paused) {
    const done = await once(`queue/${queue.id}`, async () => {
      await edit({ queues: [{ id: queue.id, paused }] });
      return true;
    });
    if (!done) return;
    const say = paused ? `${queue.name} takes nobody new. Those in line keep their place.` : `${queue.name} takes people again.`;
    toast.show({ say, undo: () => pause(queue, !paused) });
  }

  return {
    callNext,
    change,
    walkIn,
    tellAdded,
    edit,
    pause,
    complain,
    newKey,
    /** The link and QR code of a ticket's own page. @param {number} id @returns {Promise<{link: string, svg: string}>} */
    ticketLink: (id) => session.api("GET", `${base}/tickets/${id}/link`),
  };
}

/** @typedef {ReturnType<typeof createCommands>} Commands */
