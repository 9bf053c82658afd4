// @ts-check
// Draws the board from the state: big numbers that slide when they move, and never a name.

import { minutesText } from "./line_words.js";
import { counts, lastCalled, minutes, nowServing } from "./live/reducer.js";
import { byId, say } from "./page.js";
import { phrase, pieces } from "./phrases.js";

/** @typedef {import("./live/reducer.js").State} State */
/** @typedef {import("./live/reducer.js").Ticket} Ticket */

const MOST_SHOWN = 12;
/** Numbers in one column; from the next on two stay, and no number grows because more are called. */
const ONE_COLUMN = 3;
const FLASH_MS = 6_000;
/** Characters of a desk's name from which it is set smaller, on up to three lines. */
const LONG = 14;

export class BoardView {
  constructor() {
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    /** @type {Map<string, HTMLElement>} */
    this.rows = new Map();
    this.drawn = false;
  }

  /** Takes everything of a store off the screen. */
  forget() {
    this.rows.clear();
    this.drawn = false;
    for (const id of ["now", "last", "lines"]) byId(id).replaceChildren();
    for (const id of ["message", "spoken"]) say(byId(id), "");
    byId("join").hidden = true;
    byId("qr").removeAttribute("src");
  }

  /** @param {State} state */
  draw(state) {
    const store = state.store;
    say(byId("store"), store?.name ?? "");
    document.title = `${phrase("board.title")} · ${store?.name ?? ""}`;
    say(byId("message"), store?.state === "open" ? store.description : phrase("board.closing"));
    this.drawNow(nowServing(state));
    this.drawLast(lastCalled(state, 5));
    this.drawLines(state);
    this.drawCode(state);
    this.drawn = true;
  }

  /** @param {Ticket[]} tickets */
  drawNow(tickets) {
    const list = byId("now");
    const shown = tickets.slice(0, MOST_SHOWN);
    const columns = shown.length > ONE_COLUMN ? 2 : 1;
    list.dataset.columns = String(columns);
    list.style.setProperty("--rows", String(Math.max(2, Math.ceil(shown.length / columns))));
    byId("now-empty").hidden = shown.length > 0;
    byId("now-more").hidden = tickets.length <= MOST_SHOWN;
    say(byId("now-more"), phrase("board.more", { count: tickets.length - MOST_SHOWN }));
    this.fill(list, shown, "now");
  }

  /** @param {Ticket[]} tickets */
  drawLast(tickets) {
    byId("last-title").hidden = tickets.length === 0;
    this.fill(byId("last"), tickets, "last");
  }

  /**
   * Keeps the element of each ticket, so that one that moves slides.
   * @param {HTMLElement} list @param {Ticket[]} tickets @param {string} kind
   */
  fill(list, tickets, kind) {
    const before = new Map([...list.children].map((row) => [row, row.getBoundingClientRect()]));
    const rows = tickets.map((ticket) => this.row(ticket, kind));
    list.replaceChildren(...rows);
    for (const [key, row] of this.rows) if (!row.isConnected) this.rows.delete(key);
    if (this.calm.matches || !this.drawn) return;
    for (const row of rows) slide(row, before.get(row));
  }

  /** @param {Ticket} ticket @param {string} kind */
  row(ticket, kind) {
    const key = `${kind}-${ticket.id}`;
    let row = this.rows.get(key);
    if (!row) {
      row = document.createElement("li");
      for (const part of ["shape", "row-number", "row-desk"]) row.append(Object.assign(document.createElement("span"), { className: part }));
      this.rows.set(key, row);
    }
    const [shape, number, desk] = row.children;
    row.dataset.state = /** @type {HTMLElement} */ (shape).dataset.state = ticket.state;
    say(number, ticket.label);
    const where = ticket.state === "no_show" ? phrase("board.missed") : ticket.desk;
    say(desk, where);
    /** @type {HTMLElement} */ (desk).toggleAttribute("data-long", where.length > LONG);
    /** @type {HTMLElement} */ (desk).style.setProperty("--letters", String(Math.max(4, ...where.split(/\s+/u).map((word) => word.length))));
    return row;
  }

  /** @param {State} state */
  drawLines(state) {
    const lines = byId("lines");
    const several = state.queues.size > 1;
    lines.toggleAttribute("data-one", !several);
    const items = [...state.queues.values()].map((queue) => {
      const waiting = counts(state, queue.id).waiting;
      const name = Object.assign(document.createElement("dt"), { textContent: several ? queue.name : phrase("board.waiting") });
      const count = Object.assign(document.createElement("b"), { textContent: String(waiting) });
      const range = minutesText(minutes(queue.pace_ms, waiting));
      const value = document.createElement("dd");
      // The heading of a single queue says already what the number counts.
      value.append(...(several ? pieces("board.count", waiting, { number: count }) : [count]));
      const item = document.createElement("div");
      item.append(name, value);
      const more = queue.paused ? phrase("board.paused") : range;
      if (more) item.append(Object.assign(document.createElement("dd"), { textContent: more }));
      return item;
    });
    lines.replaceChildren(...items);
  }

  /** The QR is shown as a picture, so that nothing in it can run. @param {State} state */
  drawCode(state) {
    const svg = state.code?.svg ?? "";
    const paused = state.queues.size > 0 && [...state.queues.values()].every((queue) => queue.paused);
    byId("join").hidden = !svg;
    byId("join").toggleAttribute("data-paused", paused);
    byId("qr-frame").hidden = paused;
    say(byId("join-words"), phrase(paused ? "board.code_paused" : "board.scan"));
    if (!svg) return;
    const whole = svg.includes("xmlns=") ? svg : svg.replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"');
    const source = `data:image/svg+xml,${encodeURIComponent(whole)}`;
    const picture = byId("qr", HTMLImageElement);
    if (picture.src !== source) picture.src = source;
  }

  /** Somebody is called. @param {Ticket} ticket */
  flash(ticket) {
    say(byId("spoken"), `${ticket.label}${ticket.desk ? `, ${ticket.desk}` : ""}.`);
    const row = this.rows.get(`now-${ticket.id}`);
    if (!row) return;
    row.removeAttribute("data-flash");
    void row.offsetWidth; // restarts the animation when called again
    row.setAttribute("data-flash", "");
    setTimeout(() => row.removeAttribute("data-flash"), FLASH_MS);
  }
}

/** @param {HTMLElement} row @param {DOMRect | undefined} from */
function slide(row, from) {
  const to = row.getBoundingClientRect();
  const start = from ? `translate(${from.left - to.left}px, ${from.top - to.top}px)` : "translateY(-30%)";
  if (from && from.left === to.left && from.top === to.top) return;
  row.animate([{ transform: start, opacity: from ? 1 : 0 }, { transform: "none", opacity: 1 }], { duration: 250, easing: "cubic-bezier(0.2, 0.7, 0.2, 1)" });
}
