// @ts-check
/** The part of the edit form that belongs to one queue: name, texts, logo, and whether it takes people. */

import { h, icon } from "./dom.js";
import { check, field } from "./forms.js";
import { shrink } from "./logo.js";

/** @param {import("./state.js").Queue} queue @param {boolean} open */
export function queueEditor(queue, open) {
  const name = h("input", { value: queue.name, maxLength: 80 });
  const waiting = h("textarea", { value: queue.waiting_text, maxLength: 1000, rows: 2 });
  const end = h("textarea", { value: queue.end_text, maxLength: 1000, rows: 2 });
  const paused = check("Paused: nobody new can join", { name: `paused-${queue.id}`, checked: queue.paused });
  const box = /** @type {HTMLInputElement} */ (paused.querySelector("input"));
  const logo = logoField(queue);
  const node = h(
    "details",
    { class: "edit-part", open },
    h("summary", {}, h("span", { class: "queue-letter" }, queue.id), h("bdi", {}, queue.name), icon("down")),
    h("div", { class: "stack" },
      field("Queue name", name),
      field("Text for those waiting", waiting, { optional: true }),
      field("Text after the visit", end, { optional: true, hint: "Guests see it on their page once they are done." }),
      logo.node,
      paused),
  );
  const fields = /** @type {const} */ ([["name", name], ["waiting_text", waiting], ["end_text", end]]);
  const typed = (/** @type {HTMLInputElement|HTMLTextAreaElement} */ control) => (control === name ? control.value.trim() : control.value);
  return {
    node,
    unfit: logo.unfit,
    changed: () => fields.some(([key, control]) => typed(control) !== queue[key]) || box.checked !== queue.paused || logo.changed(),
    /** As QueueEdit; the fields learn the path that a fault of theirs will have. @param {number} at @returns {Record<string, unknown>} */
    value(at) {
      /** @type {Record<string, unknown>} */
      const edit = { id: queue.id };
      for (const [key, control] of fields) {
        control.name = `queues.${at}.${key}`;
        if (typed(control) !== queue[key]) edit[key] = typed(control);
      }
      if (box.checked !== queue.paused) edit.paused = box.checked;
      if (logo.changed()) edit.logo = logo.value();
      logo.input.name = `queues.${at}.logo`;
      return edit;
    },
  };
}

/** @param {import("./state.js").Queue} queue */
function logoField(queue) {
  /** @type {string|null} */
  let value = null;
  let wrong = "";
  let making = Promise.resolve();
  const picture = h("img", { class: "logo-preview", alt: "", src: queue.logo || null, hidden: !queue.logo });
  const input = h("input", { type: "file", accept: "image/png,image/jpeg,image/webp,image/gif,image/avif", onchange: () => void (making = take()) });
  const node = field("Logo", input, { optional: true, hint: "Any picture; it is made small here before it is sent." });
  const error = /** @type {HTMLElement} */ (node.querySelector(".error"));
  const remove = h("button", { type: "button", class: "button", hidden: !queue.logo, onclick: () => set("") }, icon("trash"), "Remove the logo");
  const drop = h("button", { type: "button", class: "button", hidden: true, onclick: forget }, icon("close"), "Take this file out");
  input.before(h("div", { class: "row" }, picture, remove));
  input.after(drop);

  /** @param {string} url */
  function set(url) {
    value = url;
    picture.hidden = remove.hidden = !url;
    if (url) picture.src = url;
    else forget();
  }

  /** Without the chosen file; the picture stays as it was. */
  function forget() {
    input.value = "";
    complain("");
  }

  /** @param {string} words */
  function complain(words) {
    wrong = error.textContent = words;
    drop.hidden = !words;
    if (words) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }

  async function take() {
    complain("");
    const file = input.files?.[0];
    if (!file) return;
    try {
      const url = await shrink(file);
      if (input.files?.[0] === file) set(url);
    } catch (fault) {
      if (input.files?.[0] === file) complain(fault instanceof Error ? fault.message : String(fault));
    }
  }

  /** A chosen file that is no logo must not be lost in silence. @returns {Promise<{field: string, detail: string}|null>} */
  async function unfit() {
    await making;
    input.name = `logo-${queue.id}`;
    return wrong ? { field: input.name, detail: wrong } : null;
  }
  return { node, input, unfit, changed: () => value !== null && !(value === "" && !queue.logo), value: () => value ?? "" };
}
