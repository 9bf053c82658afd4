// @ts-check
/** A ticket as one row of a queue: who, since when, and the next steps in place. */

import { h, icon } from "./dom.js";
import { STATE_WORDS, WORDS, isLive } from "./moves.js";
import { phoneThem, reachedWords, unreached } from "./reached.js";
import { passed } from "./times.js";

/**
 * @typedef {import("./state.js").Ticket} Ticket
 * @typedef {import("./moves.js").Action} Action
 * @typedef {{change: (id: number, action: Action) => void, open: (id: number) => void, now: () => number,
 *   timeOfDay: (ms: number) => string, offline: boolean}} RowContext
 */

/** The steps that stand in the row itself; the first is the one to expect. @type {Record<string, Action[]>} */
const IN_PLACE = { waiting: ["call"], called: ["serve", "recall", "no_show"], serving: ["done", "return"] };

/** "2 people" @param {number} party */
export const people = (party) => (party === 1 ? "1 person" : `${party} people`);

/** Since when the present state lasts, and how its time is told. @param {Ticket} ticket @returns {[number, "running"|"waited"]} */
function since(ticket) {
  if (ticket.state === "called") return [ticket.called_ms, "running"];
  if (ticket.state === "serving") return [ticket.served_ms || ticket.called_ms, "running"];
  return [ticket.joined_ms ?? 0, "waited"];
}

/** A time that runs. @param {Ticket} ticket @param {() => number} now */
export function runningSince(ticket, now) {
  const [from, as] = since(ticket);
  return h("span", { class: "ticket-time", "data-since": from, "data-as": as }, passed(now() - from, as));
}

/** @param {Ticket} ticket */
export const makeRow = (ticket) => h("li", { class: "ticket", "data-flip": ticket.id });

/** @type {WeakMap<HTMLElement, {ticket: Ticket, busy: boolean, open: boolean, offline: boolean}>} */
const shown = new WeakMap();

/** @param {HTMLElement} row @param {Ticket} ticket @param {boolean} busy @param {boolean} page whether its page is open @param {RowContext} context */
export function updateRow(row, ticket, busy, page, context) {
  const open = page && isLive(ticket.state);
  const last = shown.get(row);
  if (last?.ticket === ticket && last.busy === busy && last.open === open && last.offline === context.offline) return;
  shown.set(row, { ticket, busy, open, offline: context.offline });
  row.dataset.state = ticket.state;
  row.setAttribute("aria-busy", String(busy));
  const focused = row.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement).dataset.act || "open" : "";
  row.replaceChildren(opener(ticket, open, context), steps(ticket, busy, context));
  if (focused) {
    const again = row.querySelector(`[data-act="${focused}"]:not(:disabled)`) || row.querySelector("[data-act]");
    /** @type {HTMLElement} */ (again).focus({ preventScroll: true });
  }
}

/** @param {Ticket} ticket @param {boolean} open @param {RowContext} context */
function opener(ticket, open, context) {
  const desk = ticket.state === "waiting" ? "" : ticket.desk;
  const again = ticket.state === "called" && (ticket.calls ?? 0) > 1 ? ticket.calls : 0;
  return h(
    "button",
    { type: "button", class: "ticket-open", "data-act": "open", "aria-haspopup": "dialog", onclick: () => context.open(ticket.id) },
    h("span", { class: "shape", "data-state": ticket.state }),
    h("span", { class: "sr-only" }, `${STATE_WORDS[/** @type {import("./moves.js").State} */ (ticket.state)]}: `),
    h("span", { class: "ticket-label number-small" }, ticket.label),
    h(
      "span",
      { class: "ticket-who" },
      h("bdi", { class: "ticket-name" }, ticket.name || "No name"),
      h(
        "span",
        { class: "ticket-details" },
        h("span", { class: "ticket-party" }, icon("people"), h("span", { class: "sr-only" }, ", "), ticket.party ?? 1, h("span", { class: "sr-only" }, ticket.party === 1 ? " person, " : " people, ")),
        desk ? h("span", { class: "ticket-desk" }, desk) : null,
        again ? h("span", { class: "ticket-again" }, h("span", { class: "sr-only" }, "called "), `×${again}`) : null,
        reachedWords(ticket, context.timeOfDay),
        ticket.phone && !unreached(ticket) ? h("span", { class: "ticket-phone" }, icon("phone"), h("span", { class: "sr-only" }, "has a phone, ")) : null,
        open ? h("span", { class: "ticket-page", title: "Page open" }, icon("page"), h("span", { class: "sr-only" }, "page open, ")) : null,
      ),
    ),
    isLive(ticket.state) ? runningSince(ticket, context.now) : h("span", { class: "ticket-time" }, h("span", { class: "sr-only" }, "at "), context.timeOfDay(ticket.ended_ms ?? 0)),
  );
}

/** @param {Ticket} ticket @param {boolean} busy @param {RowContext} context */
function steps(ticket, busy, context) {
  const actions = IN_PLACE[ticket.state] || ["return"];
  return h(
    "span",
    { class: "ticket-steps" },
    phoneThem(ticket),
    ...actions.map((action, at) =>
      h(
        "button",
        {
          type: "button",
          class: `button ticket-step${at === 0 && ticket.state !== "waiting" ? " first" : ""}`,
          "data-act": action,
          disabled: busy,
          "aria-disabled": context.offline ? "true" : null,
          "aria-label": `${WORDS[action].label} ${ticket.label} ${ticket.name ?? ""}`.trim(),
          onclick: () => context.change(ticket.id, action),
        },
        WORDS[action].label,
      ),
    ),
  );
}
