// @ts-check
// Snapshots and pushes in, the state of a store out. Pure: no socket, no page, no clock.

/**
 * @typedef {{id: number, queue: string, label: string, state: string, desk: string, place: number, called_ms: number,
 *   name?: string, phone?: string, email?: string, party?: number, walk_in?: boolean, calls?: number,
 *   joined_ms?: number, served_ms?: number, ended_ms?: number, seen_ms?: number, unreached_ms?: number,
 *   notices?: {by: string, moment: string, state: string, at_ms: number, why: string}[]}} Ticket   the fields with ? reach the staff only
 * @typedef {{id: string, name: string, waiting_text: string, end_text: string, paused: boolean, pace_ms: number, logo: string}} Queue
 * @typedef {{id: string, name: string, description: string, timezone: string, accent: string, state: string, opened_ms: number,
 *   closes_ms: number, almost_at?: number, board_code?: boolean, board_link?: string, ladder?: Step[], quiet_hours?: string}} Store
 * @typedef {{channel: string, after_s: number | null}} Step   of the store's ladder
 * @typedef {{number: number, expires_ms: number, link: string, svg: string}} Code
 * @typedef {{store: Store, queues: Queue[], tickets: Ticket[], code?: Code | null}} Snapshot
 * @typedef {{topic: string, seq: number, at_ms: number, change?: string, ticket?: Ticket, pace_ms?: number, queue?: Queue,
 *   store?: Store, code?: Code | null, own?: Record<string, any>}} Push
 * @typedef {{seq: number, store: Store | null, queues: Map<string, Queue>, tickets: Map<number, Ticket>, code: Code | null}} State
 */

const LIVE = new Set(["waiting", "called", "serving"]);
const ENDED_KEPT = 100;

/** @returns {State} the state before anything is known */
export function emptyState() {
  return { seq: 0, store: null, queues: new Map(), tickets: new Map(), code: null };
}

/**
 * A snapshot replaces everything.
 * @param {Snapshot} snapshot
 * @param {number} seq
 * @returns {State}
 */
export function fromSnapshot(snapshot, seq) {
  return {
    seq,
    store: snapshot.store,
    queues: new Map(snapshot.queues.map((queue) => [queue.id, queue])),
    tickets: new Map(snapshot.tickets.map((ticket) => [ticket.id, ticket])),
    code: snapshot.code ?? null,
  };
}

/**
 * A push is an absolute upsert, so the same push twice is the same state; one that is not newer is dropped.
 * @param {State} state
 * @param {Push} push
 * @returns {State} a new state, or the same object when nothing changed
 */
export function applyPush(state, push) {
  if (push.seq <= state.seq) return state;
  const next = { ...state, seq: push.seq };
  if (push.ticket) {
    next.tickets = new Map(state.tickets).set(push.ticket.id, push.ticket);
    if (!LIVE.has(push.ticket.state)) forgetOldest(next.tickets);
    const queue = state.queues.get(push.ticket.queue);
    if (queue && push.pace_ms !== undefined && push.pace_ms !== queue.pace_ms) {
      next.queues = new Map(state.queues).set(queue.id, { ...queue, pace_ms: push.pace_ms });
    }
  }
  if (push.queue) next.queues = new Map(next.queues).set(push.queue.id, push.queue);
  if (push.store) next.store = state.store ? { ...state.store, ...push.store } : push.store;
  if (push.code !== undefined) next.code = push.code;
  return next;
}

/** @param {Map<number, Ticket>} tickets */
function forgetOldest(tickets) {
  const ended = [...tickets.values()].filter((ticket) => !LIVE.has(ticket.state));
  if (ended.length <= ENDED_KEPT) return;
  ended.sort((a, b) => lastMoved(a) - lastMoved(b) || a.id - b.id);
  for (const ticket of ended.slice(0, ended.length - ENDED_KEPT)) tickets.delete(ticket.id);
}

/** @param {Ticket} ticket */
function lastMoved(ticket) {
  return Math.max(ticket.ended_ms ?? 0, ticket.called_ms);
}

/**
 * The waiting parties in the order in which they will be called.
 * @param {State} state
 * @param {string} [queue] of this queue only
 * @returns {Ticket[]}
 */
export function waiting(state, queue) {
  return [...state.tickets.values()]
    .filter((ticket) => ticket.state === "waiting" && (queue === undefined || ticket.queue === queue))
    .sort((a, b) => a.place - b.place || a.id - b.id);
}

/**
 * Parties waiting before this one in its queue. Those called or being served are not counted.
 * @param {State} state
 * @param {number} ticketId
 * @returns {number} 0 when it does not wait
 */
export function ahead(state, ticketId) {
  const own = state.tickets.get(ticketId);
  if (!own || own.state !== "waiting") return 0;
  let count = 0;
  for (const other of state.tickets.values()) {
    if (other.queue !== own.queue || other.state !== "waiting") continue;
    if (other.place < own.place || (other.place === own.place && other.id < own.id)) count += 1;
  }
  return count;
}

/**
 * Those at or on their way to a desk, the last called first.
 * @param {State} state
 * @returns {Ticket[]}
 */
export function nowServing(state) {
  return byLastCall(state, (ticket) => ticket.state === "called" || ticket.state === "serving");
}

/**
 * Those whose call is over (served or missed), the last called first.
 * @param {State} state
 * @param {number} [most]
 * @returns {Ticket[]}
 */
export function lastCalled(state, most = 5) {
  return byLastCall(state, (ticket) => ticket.called_ms > 0 && (ticket.state === "done" || ticket.state === "no_show")).slice(0, most);
}

/**
 * @param {State} state
 * @param {(ticket: Ticket) => boolean} wanted
 */
function byLastCall(state, wanted) {
  return [...state.tickets.values()].filter(wanted).sort((a, b) => b.called_ms - a.called_ms || b.id - a.id);
}

/**
 * How many parties are in each state that is not over, of one queue or of the store.
 * @param {State} state
 * @param {string} [queue]
 */
export function counts(state, queue) {
  const found = { waiting: 0, called: 0, serving: 0 };
  for (const ticket of state.tickets.values()) {
    if (queue !== undefined && ticket.queue !== queue) continue;
    if (ticket.state === "waiting" || ticket.state === "called" || ticket.state === "serving") found[ticket.state] += 1;
  }
  return found;
}

/**
 * The likely wait as [from, to] in minutes, in steps of five; empty while the pace is unknown.
 * @param {number} paceMs between two calls
 * @param {number} ahead parties before this one
 * @returns {[number, number] | []}
 */
export function minutes(paceMs, ahead) {
  if (!paceMs) return [];
  const wait = (paceMs * (ahead + 1)) / 60_000;
  return [Math.floor((0.75 * wait) / 5) * 5, Math.ceil((1.25 * wait) / 5) * 5];
}
