// @ts-check
/** Whether a called guest has seen it: a word in the row, a number to tap, and what is read out. */

import { say } from "../page.js";
import { h, icon } from "./dom.js";

/** @typedef {import("./state.js").Ticket} Ticket */

/** What a notification ends as that nobody got. */
const UNREACHED = ["failed", "late", "undelivered", "suppressed"];

/** Whether the guest was called and nothing has shown it, or no notification of it went out. @param {Ticket} ticket */
export function unreached(ticket) {
  if (ticket.state !== "called" || ticket.seen_ms) return false;
  const calls = (ticket.notices ?? []).filter((notice) => notice.moment === "called");
  return Boolean(ticket.unreached_ms) || (calls.length > 0 && calls.every((notice) => UNREACHED.includes(notice.state)));
}

/** @param {Ticket} ticket @param {(ms: number) => string} timeOfDay */
export function reachedWords(ticket, timeOfDay) {
  if (unreached(ticket)) return h("span", { class: "ticket-unreached" }, icon("alert"), "Not reached");
  if (ticket.state !== "called" || !ticket.seen_ms) return null;
  return h("span", { class: "ticket-seen" }, icon("check"), `Seen ${timeOfDay(ticket.seen_ms)}`);
}

/** The phone number of somebody who was not reached, ready to be tapped. @param {Ticket} ticket */
export function phoneThem(ticket) {
  if (!ticket.phone || !unreached(ticket)) return null;
  return h("a", { class: "button ticket-step ticket-call", href: `tel:${ticket.phone}`, "data-act": "phone", "aria-label": `Phone ${ticket.label}, ${ticket.phone}` }, icon("phone"), ticket.phone);
}

/** Reads out who was not reached, once for each call. */
export function createAnnouncer() {
  const node = h("p", { class: "sr-only", "aria-live": "polite" });
  /** @type {Map<number, number>|null} */
  let known = null;

  /** @param {import("../live/reducer.js").State} live */
  function render(live) {
    const now = new Map([...live.tickets.values()].filter((ticket) => ticket.state === "called" && ticket.unreached_ms).map((ticket) => [ticket.id, ticket.unreached_ms ?? 0]));
    const fresh = known ? [...now].filter(([id, ms]) => known?.get(id) !== ms) : [];
    known = now;
    if (fresh.length) say(node, fresh.map(([id]) => `${live.tickets.get(id)?.label} was not reached.`).join(" "));
  }
  return { node, render };
}
