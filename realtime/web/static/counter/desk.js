// @ts-check
/** Where this device calls people to: free text, remembered here. */

import { openDialog } from "./dialog.js";
import { h } from "./dom.js";
import { field, onSend } from "./forms.js";

const DESK = "nowserving_desk";
const DESKS = "nowserving_desks";

export const rememberedDesk = () => localStorage.getItem(DESK) ?? "";

/** @returns {string[]} */
function recentDesks() {
  try {
    const desks = JSON.parse(localStorage.getItem(DESKS) || "[]");
    return Array.isArray(desks) ? desks.filter((desk) => typeof desk === "string" && desk) : [];
  } catch {
    return [];
  }
}

/** @param {import("./state.js").Store} store */
export function openDesk(store) {
  const { desk, live } = store.get();
  const used = [...live.tickets.values()].map((ticket) => ticket.desk);
  const known = [...new Set([...recentDesks(), ...used, "Desk 1", "Desk 2"])].filter(Boolean).slice(0, 8);
  const input = h("input", { name: "desk", value: desk, maxLength: 40, autocomplete: "off", autofocus: true, placeholder: "Desk 2, Bar, Window" });
  const form = h(
    "form",
    { class: "stack" },
    h("p", { class: "muted" }, "Guests read it when you call them from this device."),
    field("Desk", input, { optional: true }),
    h("div", { class: "row" }, ...known.map((name) => h("button", { type: "button", class: "button", "aria-pressed": String(name === desk), onclick: () => choose(name) }, name))),
    h("div", { class: "dialog-actions" }, h("button", { type: "button", class: "button", onclick: () => choose("") }, "No desk"), h("button", { type: "submit", class: "button primary" }, "Use it")),
  );
  onSend(form, async () => choose(input.value));
  const { close } = openDialog("Call people to", [form], { kind: "middle" });
  input.select();

  /** @param {string} value */
  function choose(value) {
    const name = value.trim();
    localStorage.setItem(DESK, name);
    if (name) localStorage.setItem(DESKS, JSON.stringify([name, ...recentDesks().filter((other) => other !== name)].slice(0, 6)));
    store.dispatch({ type: "desk", desk: name });
    close();
  }
}
