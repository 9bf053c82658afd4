// @ts-check
/** The queues side by side, or one at a time on a phone: their tickets, and the button that calls the next one. */

import { clockTime } from "../live/clock.js";
import { say } from "../page.js";
import { fill, h, icon, keep } from "./dom.js";
import { flip } from "./flip.js";
import { column, pageOpen } from "./state.js";
import { makeRow, updateRow } from "./ticket.js";

/**
 * @typedef {import("./state.js").Counter} Counter
 * @typedef {import("./state.js").Queue} Queue
 * @typedef {object} QueuesContext
 * @property {import("./commands.js").Commands} commands
 * @property {import("./state.js").Store} store
 * @property {(id: number) => void} openTicket
 * @property {(queue: string) => void} addGuest
 * @property {(queue: string) => void} editQueue
 * @property {() => number} now
 */

/** @param {QueuesContext} context */
export function createQueues(context) {
  const tabs = h("div", { class: "queue-tabs", role: "group", "aria-label": "Queue on show" });
  const columns = h("div", { class: "queue-columns" });
  const node = h("div", { class: "queues" }, tabs, columns);
  columns.addEventListener("scroll", () => tellMore(node, columns), { passive: true });
  new ResizeObserver(() => tellMore(node, columns)).observe(columns);

  let known = 0;

  /** @param {Counter} state */
  function render(state) {
    const queues = [...state.live.queues.values()];
    node.style.setProperty("--queues", String(queues.length));
    keep(tabs, queues, (queue) => queue.id, (queue) => tab(queue, context), (tab_, queue) => updateTab(tab_, queue, state));
    flip(columns, () => {
      keep(columns, queues, (queue) => queue.id, (queue) => makeColumn(queue, context), (section, queue) => updateColumn(section, queue, state, context));
    });
    if (queues.length !== known) tellMore(node, columns);
    known = queues.length;
  }
  return { node, render };
}

/** The edge behind which there are more queues fades. @param {HTMLElement} node @param {HTMLElement} columns */
function tellMore(node, { scrollLeft, clientWidth, scrollWidth }) {
  node.toggleAttribute("data-before", scrollLeft > 8);
  node.toggleAttribute("data-after", scrollLeft + clientWidth < scrollWidth - 8);
}

/** @param {Queue} queue @param {QueuesContext} context */
function tab(queue, { store }) {
  return h(
    "button",
    { type: "button", class: "queue-tab", onclick: () => store.dispatch({ type: "queue", queue: queue.id }) },
    h("bdi", { class: "queue-tab-name" }),
    h("span", { class: "queue-tab-count" }),
  );
}

/** @param {HTMLElement} node @param {Queue} queue @param {Counter} state */
function updateTab(node, queue, state) {
  const { called, serving, waiting } = column(state.live, queue.id);
  const chosen = state.queue === queue.id;
  if (chosen && node.getAttribute("aria-pressed") === "false") node.scrollIntoView({ block: "nearest", inline: "center" });
  node.setAttribute("aria-pressed", String(chosen));
  node.classList.toggle("paused", queue.paused);
  say(node.children[0], queue.name);
  say(node.children[1], String(waiting.length));
  node.setAttribute("aria-label", `${queue.name}, ${waiting.length} waiting, ${called.length + serving.length} at a desk${queue.paused ? ", paused" : ""}`);
}

/** @param {Queue} queue @param {QueuesContext} context */
function makeColumn(queue, context) {
  const focus = () => context.store.dispatch({ type: "queue", queue: queue.id });
  return h(
    "section",
    { class: "queue", "aria-labelledby": `queue-${queue.id}`, onfocusin: focus, onpointerdown: focus },
    h("header", { class: "queue-head" }),
    h("div", { class: "queue-paused notice", hidden: true }),
    h("div", { class: "queue-scroll", },
      h("ul", { class: "tickets" }),
      h("p", { class: "queue-empty" }),
      h("details", { class: "queue-ended", hidden: true }, h("summary", {}, h("span", {}), icon("down")), h("ul", { class: "tickets ended" })),
    ),
    h("footer", { class: "queue-foot" }),
  );
}

/** @type {WeakMap<HTMLElement, Queue>} */
const headed = new WeakMap();

/** @param {HTMLElement} section @param {Queue} queue @param {Counter} state @param {QueuesContext} context */
function updateColumn(section, queue, state, context) {
  const { called, serving, waiting, ended } = column(state.live, queue.id);
  const part = (/** @type {string} */ name) => /** @type {HTMLElement} */ (section.querySelector(name));
  section.classList.toggle("chosen", state.queue === queue.id);
  if (headed.get(section) !== queue) {
    headed.set(section, queue);
    fill(part(".queue-head"), ...head(queue, context));
    const paused = part(".queue-paused");
    paused.hidden = !queue.paused;
    if (queue.paused) fill(paused, h("span", {}, "Paused for new guests"), h("button", { type: "button", class: "button", onclick: () => context.commands.pause(queue, false) }, icon("play"), "Resume"));
  }
  const count = part(".queue-count");
  say(count.children[0], String(waiting.length));
  const timeOfDay = (/** @type {number} */ ms) => clockTime(ms, state.live.store?.timezone);
  const offline = state.connection === "stale";
  const row = { change: context.commands.change, open: context.openTicket, now: context.now, timeOfDay, offline };
  const busy = (/** @type {import("./state.js").Ticket} */ ticket) => state.pending.has(`ticket/${ticket.id}`);
  const live = [...called, ...serving, ...waiting];
  const list = (/** @type {string} */ name, /** @type {import("./state.js").Ticket[]} */ tickets) =>
    keep(part(name), tickets, (ticket) => String(ticket.id), makeRow, (node, ticket) => updateRow(node, ticket, busy(ticket), pageOpen(state.present, ticket.id) === true, row));
  list(".queue-scroll > .tickets", live);
  list(".tickets.ended", ended.slice(0, 30));
  const empty = part(".queue-empty");
  empty.hidden = live.length > 0;
  say(empty, queue.paused ? "Nobody is waiting." : "Nobody is waiting. New guests appear here by themselves.");
  part(".queue-ended").hidden = ended.length === 0;
  say(part(".queue-ended > summary > span"), `Ended, ${ended.length === 1 ? "1 ticket" : `${ended.length} tickets`}`);
  foot(part(".queue-foot"), queue, waiting[0], state.pending.has(`queue/${queue.id}`), offline, context);
}

/** @param {Queue} queue @param {QueuesContext} context */
function head(queue, { commands, editQueue }) {
  const choose = (/** @type {() => void} */ act) => (/** @type {MouseEvent} */ event) => {
    /** @type {HTMLElement} */ (event.currentTarget).closest("details")?.removeAttribute("open");
    act();
  };
  return [
    queue.logo ? h("img", { class: "queue-logo", src: queue.logo, alt: "" }) : null,
    h("h2", { id: `queue-${queue.id}` }, h("bdi", {}, queue.name)),
    h("span", { class: "queue-count" }, h("span", { class: "number-small" }), h("span", { class: "sr-only" }, " waiting")),
    h("details", { class: "menu" },
      h("summary", { class: "button plain icon-only", "aria-label": `More for ${queue.name}` }, icon("more")),
      h("div", { class: "menu-items" },
        h("button", { type: "button", onclick: choose(() => commands.pause(queue, !queue.paused)) }, icon(queue.paused ? "play" : "pause"), queue.paused ? "Resume" : "Pause"),
        h("button", { type: "button", onclick: choose(() => editQueue(queue.id)) }, icon("edit"), "Edit name, texts, logo"),
      ),
    ),
  ];
}

/** @param {HTMLElement} node @param {Queue} queue @param {import("./state.js").Ticket|undefined} next @param {boolean} busy @param {boolean} offline @param {QueuesContext} context */
function foot(node, queue, next, busy, offline, { commands, addGuest }) {
  if (!node.firstChild) {
    fill(node,
      h("button", { type: "button", class: "button big icon-only queue-add", "aria-label": `Add a guest to ${queue.name}`, onclick: () => addGuest(queue.id) }, icon("plus")),
      h("button", { type: "button", class: "button primary big queue-call", "aria-keyshortcuts": "N", onclick: () => commands.callNext(queue.id) },
        h("span", {}), h("bdi", {}), h("kbd", { class: "key", "aria-hidden": "true" }, "N"), icon("next")),
    );
  }
  const button = /** @type {HTMLButtonElement} */ (node.lastElementChild);
  const [words, name] = button.children;
  say(words, next ? `Call ${next.label}` : "Nobody waiting");
  say(name, next?.name ?? "");
  /** @type {HTMLElement} */ (name).hidden = !next?.name;
  button.lastElementChild?.toggleAttribute("hidden", !next);
  // Without a connection a press still says why nothing is done, so it is not taken away.
  button.setAttribute("aria-disabled", String(!next || busy || offline));
  button.setAttribute("aria-busy", String(busy));
  button.disabled = !next;
}
