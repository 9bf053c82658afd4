// @ts-check
/** The head of the counter: which store, how fresh, which desk, and everything that is not about one ticket. */

import { ticking } from "../live/clock.js";
import { showStatus } from "../live/status.js";
import { say } from "../page.js";
import { fill, h, icon } from "./dom.js";
import { keysOn, setKeys } from "./keys.js";
import { dayWords } from "./times.js";

/**
 * @typedef {object} HeaderContext
 * @property {() => void} toggleCode
 * @property {() => void} holdUp
 * @property {() => void} chooseDesk
 * @property {() => void} edit
 * @property {() => void} closeStore
 * @property {() => void} signOut
 * @property {() => number} now
 */

/** @param {HeaderContext} context */
export function createHeader(context) {
  const name = h("h1", { class: "store-name" });
  const closes = h("span", {});
  const hours = h("p", { class: "counter-hours small muted" }, h("span", { class: "counter-open" }, "Open · "), closes);
  const status = h("span", { class: "status", role: "status" });
  const showLive = showStatus(status);
  const desk = h("span", { class: "desk-name" });
  const deskButton = h("button", { type: "button", class: "button quiet counter-desk", "aria-haspopup": "dialog", onclick: context.chooseDesk }, icon("desk"), h("span", { class: "sr-only" }, "Desk: "), desk, icon("down"));
  const codeButton = h("button", { type: "button", class: "button counter-code", "aria-label": "QR code to join", onclick: context.toggleCode }, icon("qr"), h("span", { class: "wide-only" }, "QR"));
  const items = h("div", { class: "menu-items" });
  const menu = h("details", { class: "menu", ontoggle: () => menu.open && fill(items, ...choices()) }, h("summary", { class: "button quiet icon-only", "aria-label": "Menu" }, icon("more")), items);
  const node = h("header", { class: "page-header lined counter-header" }, h("div", { class: "counter-store" }, name, hours), status, deskButton, codeButton, menu);
  let board = "";
  const watching = h("p", { class: "menu-note small muted" });
  /** @type {import("../live/reducer.js").Store|null} */
  let shop = null;

  function showHours() {
    if (shop) say(closes, `closes ${dayWords(shop.closes_ms, context.now(), shop.timezone)}`);
  }
  // At midnight "tomorrow" is over.
  ticking(30_000, showHours);

  /** @param {() => void} act */
  const choose = (act) => () => {
    menu.open = false;
    act();
  };

  /** @param {Parameters<typeof icon>[0]} sign @param {string} words @param {() => void} act */
  const item = (sign, words, act) => h("button", { type: "button", onclick: choose(act) }, icon(sign), words);

  function choices() {
    const on = keysOn();
    return [
      watching,
      h("div", { class: "phone-only" }, item("desk", `Desk: ${desk.textContent}`, context.chooseDesk)),
      item("expand", "Show the QR large", context.holdUp),
      board ? h("a", { href: board, target: "_blank", rel: "noopener", onclick: choose(() => {}) }, icon("board"), "Board for a TV") : "",
      item("edit", "Edit store and queues", context.edit),
      h("a", { href: "/account" }, icon("person"), "Account and receipts"),
      h("div", { class: "key-only" }, item("keys", on ? "Keys N and U: turn off" : "Keys N and U: turn on", () => setKeys(!on))),
      item("out", "Sign out", context.signOut),
      h("button", { type: "button", class: "danger", onclick: choose(context.closeStore) }, icon("door"), "Close the store"),
    ];
  }

  return {
    node,
    /** @param {import("./state.js").Counter} state @param {boolean} codeMoves whether the code can be shown and hidden */
    render({ live, connection, sinceMs, present, desk: where, codeShown }, codeMoves) {
      const { store } = live;
      if (!store) return;
      say(name, store.name);
      name.dir = "auto";
      shop = store;
      showHours();
      say(desk, where || "No desk");
      if (status.dataset.live !== connection || connection === "stale") showLive(connection, sinceMs);
      codeButton.hidden = !codeMoves;
      codeButton.setAttribute("aria-pressed", String(codeShown));
      board = store.board_link ?? "";
      watching.hidden = present === null;
      say(watching, present ? watchingWords(present) : "");
    },
  };
}

/** "12 phones and 1 board connected" @param {import("./state.js").Present} present */
function watchingWords({ phones, boards }) {
  return `${[count(phones, "phone"), count(boards, "board")].filter(Boolean).join(" and ") || "No phone or board"} connected`;
}

/** @param {number} number @param {string} word */
const count = (number, word) => (number ? `${number} ${word}${number === 1 ? "" : "s"}` : "");

/** Close every open menu that is left by a click outside it, or by Escape. */
export function watchMenus() {
  document.addEventListener("pointerdown", ({ target }) => {
    for (const menu of /** @type {NodeListOf<HTMLDetailsElement>} */ (document.querySelectorAll("details.menu[open]"))) {
      if (!menu.contains(/** @type {Node} */ (target))) menu.open = false;
    }
  });
  document.addEventListener("keydown", (event) => {
    const menu = /** @type {HTMLDetailsElement|null} */ (document.querySelector("details.menu[open]"));
    if (event.key !== "Escape" || !menu) return;
    menu.open = false;
    menu.querySelector("summary")?.focus();
  });
}
