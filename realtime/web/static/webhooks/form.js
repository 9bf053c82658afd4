// @ts-check
/** The fields of a webhook: its address, its name, and what is posted there. */

import { h } from "../counter/dom.js";
import { check, fault, faultLine, field, onSend } from "../counter/forms.js";
import { EVENTS } from "./words.js";

/**
 * @typedef {{url: string, name: string, events: string[], signing?: "hmac"|"ed25519"}} Wanted
 * @param {Wanted} known what the fields hold at first
 * @param {boolean} pairs whether to ask what signs
 * @param {string} action the button's words
 * @param {(wanted: Wanted) => Promise<void>} send
 */
export function webhookForm(known, pairs, action, send) {
  const url = h("input", { name: "url", type: "url", inputMode: "url", autocomplete: "off", spellcheck: false, maxLength: 1000, value: known.url, placeholder: "https://" });
  const name = h("input", { name: "name", autocomplete: "off", maxLength: 80, value: known.name });
  const all = radio("which", "Everything that happens, also what comes later", "all", !known.events.length);
  const some = radio("which", "Only what I choose", "some", known.events.length > 0);
  const boxes = Object.entries(EVENTS).map(([type, words]) => check(words, { name: type, checked: known.events.includes(type) }));
  const choice = h("div", { class: "event-choice", hidden: !known.events.length }, ...boxes);
  const group = h("fieldset", { class: "stack event-group" }, h("legend", { class: "legend" }, "What is posted"), all, some, choice);
  const signing = pairs ? h("fieldset", { class: "stack event-group" }, h("legend", { class: "legend" }, "What signs it"),
    radio("signing", "A secret that your program knows too (HMAC)", "hmac", true),
    radio("signing", "A key pair: your program can check, but only this server can sign (Ed25519)", "ed25519", false)) : null;
  const form = h("form", { class: "stack" },
    field("Address", url, { hint: "Where your program listens. Events are posted there as JSON, signed." }),
    field("Name", name, { optional: true, hint: "So that you know it again, such as “Kitchen display”." }),
    group, signing, faultLine(), h("button", { type: "submit", class: "button primary" }, action));

  group.addEventListener("change", () => {
    choice.hidden = chosen(group) !== "some";
  });

  onSend(form, async () => {
    const events = chosen(group) === "all" ? [] : [.../** @type {NodeListOf<HTMLInputElement>} */ (choice.querySelectorAll("input:checked"))].map((box) => box.name);
    if (!url.value.trim()) throw fault("url", "Enter the address that events are posted to.");
    if (chosen(group) === "some" && !events.length) throw fault("", "Choose at least one event.");
    const wanted = { url: url.value.trim(), name: name.value.trim(), events };
    await send(signing ? { ...wanted, signing: /** @type {"hmac"|"ed25519"} */ (chosen(signing)) } : wanted);
  });
  return form;
}

/** @param {HTMLElement} group */
function chosen(group) {
  return /** @type {HTMLInputElement} */ (group.querySelector("input[type=radio]:checked")).value;
}

/** @param {string} name @param {string} words @param {string} value @param {boolean} checked */
function radio(name, words, value, checked) {
  return h("label", { class: "check" }, h("input", { type: "radio", name, value, checked }), h("span", {}, words));
}
