// @ts-check
/** One short message at the foot of the page, with a way to take the last action back. */

import { append, h, icon } from "./dom.js";

const SHOWN_MS = 8_000;

/**
 * @typedef {{say: string, who?: string, undo?: (() => void)|null, fault?: boolean}} Note `who` stands before `say` and is clipped to one line
 * @param {HTMLElement} root
 */
export function createToast(root) {
  const spoken = h("div", { class: "sr-only", role: "status" });
  const shown = h("div", { class: "counter-toast", hidden: true });
  append(root, [spoken, shown]);
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  let timer;
  /** @type {(() => void)|null} */
  let undo = null;

  function hide() {
    clearTimeout(timer);
    undo = null;
    shown.hidden = true;
  }

  function takeBack() {
    const last = undo;
    hide();
    last?.();
  }

  const wait = () => {
    clearTimeout(timer);
    timer = setTimeout(hide, SHOWN_MS);
  };
  for (const stay of ["pointerenter", "focusin"]) shown.addEventListener(stay, () => clearTimeout(timer));
  for (const go of ["pointerleave", "focusout"]) shown.addEventListener(go, wait);

  return {
    /** @param {Note} note */
    show(note) {
      undo = note.undo || null;
      spoken.textContent = (note.who ?? "") + note.say;
      shown.classList.toggle("fault", note.fault === true);
      shown.replaceChildren(
        h("span", { class: "counter-toast-text" }, note.who ? h("bdi", { class: "counter-toast-who" }, note.who) : null, note.say),
        undo ? h("button", { type: "button", class: "counter-toast-undo", onclick: takeBack }, icon("undo"), "Undo", h("kbd", { class: "key", "aria-hidden": "true" }, "U")) : "",
        h("button", { type: "button", class: "counter-toast-close", "aria-label": "Hide this message", onclick: hide }, icon("close")),
      );
      shown.hidden = false;
      wait();
    },
    hide,
    /** Take the last action back, if it can be. @returns {boolean} */
    undo() {
      if (!undo) return false;
      takeBack();
      return true;
    },
  };
}

/** @typedef {ReturnType<typeof createToast>} Toast */
