// @ts-check
/** What webhooks and their deliveries are called on the page, and the times beside them. */

/**
 * @typedef {{id: string, name: string, url: string, events: string[], signing: "hmac"|"ed25519", state: "active"|"failing"|"off", since_ms: number, why: string, old_secret_until_ms: number, created_ms: number}} Webhook
 * @typedef {{id: string, type: string, state: "waiting"|"sending"|"retrying"|"sent"|"failed"|"dropped", attempts: number, outcome: string, created_ms: number, next_ms: number, ended_ms: number}} Delivery
 * @typedef {(method: string, path: string, body?: unknown) => Promise<any>} Api
 */

export const EVENTS = /** @type {const} */ ({
  "ticket.joined": "A party joins",
  "ticket.called": "A party is called",
  "ticket.serving": "A party is being served",
  "ticket.done": "A party is done",
  "ticket.no_show": "A party does not come",
  "ticket.left": "A party leaves the line",
  "ticket.removed": "A party is taken out",
  "ticket.returned": "A party goes back in line, or a move is undone",
  "store.opened": "The store opens",
  "store.closed": "The store closes",
});

/** The state of a webhook as a pill: shape and colour of a ticket's state that feels the same. */
export const STATES = /** @type {const} */ ({ active: ["done", "Active"], failing: ["called", "Failing"], off: ["no_show", "Off"] });

/** The same for a delivery. */
export const SHAPES = /** @type {const} */ ({ waiting: "waiting", sending: "serving", retrying: "called", sent: "done", failed: "no_show", dropped: "left" });

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const seconds = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dated = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

/** Today's times without the date. @param {number} ms @param {boolean} [exact] */
export function at(ms, exact = false) {
  if (new Date(ms).toDateString() !== new Date().toDateString()) return dated.format(ms);
  return (exact ? seconds : clock).format(ms);
}

/** @param {string} type */
export function event(type) {
  return type === "ping" ? "Test" : EVENTS[/** @type {keyof typeof EVENTS} */ (type)] ?? type;
}

/** What it wants, in one line. @param {string[]} events */
export function wanted(events) {
  if (!events.length) return "Everything that happens";
  if (events.length > 2) return `${events.length} kinds of events`;
  return events.map(event).join(", ");
}

/** How a delivery stands, in one line. @param {Delivery} delivery */
export function standing(delivery) {
  const tries = delivery.attempts === 1 ? "" : ` on attempt ${delivery.attempts}`;
  switch (delivery.state) {
    case "waiting":
      return "Next in line";
    case "sending":
      return "On its way";
    case "sent":
      return `Arrived${tries}`;
    case "retrying":
      return `${delivery.outcome} Again ${delivery.next_ms > Date.now() ? at(delivery.next_ms) : "now"}.`;
    case "dropped":
      return "Not sent: the webhook was off";
    default:
      return delivery.outcome;
  }
}

/** @param {unknown} problem */
export function sentence(problem) {
  return problem instanceof Error ? problem.message : String(problem);
}
