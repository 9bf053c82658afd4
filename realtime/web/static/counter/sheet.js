// @ts-check
/** All there is to a ticket: every action its state allows, its details, and the QR of its own page. */

import { drawing } from "./code.js";
import { copyButton } from "./copy.js";
import { openDialog } from "./dialog.js";
import { fill, h, icon } from "./dom.js";
import { clockTime } from "../live/clock.js";
import { STATE_WORDS, WORDS, isLive, legal } from "./moves.js";
import { pageOpen } from "./state.js";
import { reachedWords } from "./reached.js";
import { people, runningSince } from "./ticket.js";

/** The action to expect stands first, the ones that end a visit last. @type {import("./moves.js").Action[]} */
const ORDER = ["call", "serve", "done", "recall", "no_show", "return", "remove"];

/** A longer name may be clipped above, so it is told whole among the facts. */
const CLIPPED = 20;

/**
 * @typedef {import("./state.js").Ticket} Ticket
 * @param {number} id @param {import("./state.js").Store} store @param {import("./commands.js").Commands} commands @param {() => number} now
 */
export function openSheet(id, store, commands, now) {
  const first = store.get().live.tickets.get(id);
  if (!first) return;
  const body = h("div", { class: "stack sheet" });
  const link = ownPage(id, commands);
  const { close } = openDialog(first.label, [body, link], { onclose: () => unwatch() });
  /** @type {Ticket|undefined} */
  let shown;
  let busy = false;
  let offline = false;
  /** @type {boolean|null} */
  let open = null;
  const render = () => {
    const state = store.get();
    const ticket = state.live.tickets.get(id);
    if (!ticket) return close();
    const [waits, page] = [state.pending.has(`ticket/${id}`), isLive(ticket.state) ? pageOpen(state.present, id) : null];
    const lost = state.connection === "stale";
    if (ticket === shown && busy === waits && open === page && offline === lost) return;
    [shown, busy, open, offline] = [ticket, waits, page, lost];
    fill(body, ...content(ticket));
  };
  const unwatch = store.watch(render);
  render();

  /** @param {Ticket} ticket */
  function content(ticket) {
    const { live } = store.get();
    const state = /** @type {import("./moves.js").State} */ (ticket.state);
    const possible = legal(ticket.state);
    const order = ORDER.filter((action) => possible.includes(action));
    return [
      h("div", { class: "row" }, h("span", { class: "pill", "data-state": ticket.state }, STATE_WORDS[state]), reachedWords(ticket, (ms) => clockTime(ms, live.store?.timezone)), ["waiting", "called", "serving"].includes(state) ? runningSince(ticket, now) : null, h("span", { class: "muted" }, people(ticket.party ?? 1))),
      h("p", { class: "lead sheet-who one-line" }, h("bdi", {}, ticket.name || "No name")),
      open === null ? null : h("p", { class: "row sheet-page" }, icon("page"), open ? "Their page is open." : "Their page is not open."),
      contact(ticket),
      notices(ticket, live),
      h("div", { class: "sheet-actions" }, ...order.map((action, at) => step(ticket, action, at === 0 && action !== "return"))),
      facts(ticket, live),
    ];
  }

  /** @param {Ticket} ticket @param {import("./moves.js").Action} action @param {boolean} first */
  function step(ticket, action, first) {
    const button = h("button", {
      type: "button",
      class: `button${first ? " primary" : ""}${action === "remove" ? " danger" : ""}`,
      disabled: busy,
      "aria-disabled": offline ? "true" : null,
      onclick: () => { close(); commands.change(id, action); },
    }, WORDS[action].label);
    // The step to expect has the colour of its state, as it has in the row.
    if (first && ticket.state !== "waiting") {
      button.dataset.state = ticket.state;
      button.style.setProperty("--accent", "var(--state)");
      button.style.setProperty("--on-accent", "var(--paper)");
    }
    return button;
  }
}

/** @param {Ticket} ticket */
function contact(ticket) {
  if (!ticket.phone && !ticket.email) return null;
  return h(
    "div",
    { class: "row" },
    ticket.phone ? h("a", { class: "button", href: `tel:${ticket.phone}` }, icon("phone"), ticket.phone) : null,
    ticket.email ? h("a", { class: "button", href: `mailto:${ticket.email}` }, ticket.email) : null,
  );
}

const MEANS = { sms: "SMS", email: "E-mail", web_push: "Notification" };
const MOMENTS = { joined: "about the place in line", almost: "that it is almost their turn", called: "that it is their turn" };
const WENT = { sent: "sent", captured: "kept in the outbox", accepted: "on its way", delivered: "delivered", undelivered: "not reached", retrying: "not sent yet", failed: "not reached", late: "not sent, it was too late", suppressed: "not sent" };

/** How the notifications to the guest went, the latest first. @param {Ticket} ticket @param {import("../live/reducer.js").State} live */
function notices(ticket, live) {
  const all = [...(ticket.notices ?? [])].reverse();
  if (!all.length) return null;
  return h("ul", { class: "notices", "aria-label": "Notifications" }, ...all.map((notice) => {
    const means = MEANS[/** @type {keyof typeof MEANS} */ (notice.by)] ?? notice.by;
    const moment = MOMENTS[/** @type {keyof typeof MOMENTS} */ (notice.moment)] ?? notice.moment;
    const went = WENT[/** @type {keyof typeof WENT} */ (notice.state)] ?? notice.state;
    return h("li", { "data-went": notice.state }, h("span", { class: "strong" }, `${means} ${went}`), ` ${clockTime(notice.at_ms, live.store?.timezone)}`,
      h("span", { class: "small muted notice-about" }, [moment, notice.why].filter(Boolean).join(": ")));
  }));
}

/** @param {Ticket} ticket @param {import("../live/reducer.js").State} live */
function facts(ticket, live) {
  const at = (/** @type {number|undefined} */ ms) => (ms ? clockTime(ms, live.store?.timezone) : "");
  /** @type {[string, string][]} */
  const rows = [
    ["Name", (ticket.name ?? "").length > CLIPPED ? (ticket.name ?? "") : ""],
    ["Queue", live.queues.get(ticket.queue)?.name ?? ticket.queue],
    ["Joined", `${at(ticket.joined_ms)}${ticket.walk_in ? ", added by the staff" : ""}`],
    ["Called", ticket.called_ms ? `${at(ticket.called_ms)}${(ticket.calls ?? 0) > 1 ? `, ${ticket.calls} times` : ""}` : ""],
    ["Seen", at(ticket.seen_ms)],
    ["Desk", ticket.desk],
    ["Served", at(ticket.served_ms)],
    ["Ended", at(ticket.ended_ms)],
  ];
  return h("dl", { class: "facts" }, ...rows.filter(([, value]) => value).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, h("bdi", {}, value)))));
}

/** The link is a secret of the guest's, so it is only asked for when it is wanted. @param {number} id @param {import("./commands.js").Commands} commands */
function ownPage(id, commands) {
  const inside = h("div", { class: "stack own-page" }, h("p", { class: "muted" }, "One moment."));
  let asked = false;
  return h("details", { class: "sheet-link", ontoggle: show }, h("summary", {}, icon("qr"), "The guest’s own page", icon("down")), inside);

  async function show() {
    if (asked) return;
    asked = true;
    try {
      const { link, svg } = await commands.ticketLink(id);
      fill(inside, ...takeAlong(link, svg));
    } catch (fault) {
      asked = false;
      fill(inside, h("p", { class: "error" }, fault instanceof Error ? fault.message : String(fault)));
    }
  }
}

/** What a guest takes along: the QR of the ticket's own page, and its link. @param {string} link @param {string} svg */
export function takeAlong(link, svg) {
  return [
    h("div", { class: "qr" }, drawing(svg, "QR code of this ticket's own page")),
    h("p", { class: "small muted" }, "The guest scans this to follow their place on their own phone. Show it to them only."),
    copyButton(link, "Copy link"),
  ];
}
