// @ts-check
/** A button that copies a text and says so. */

import { h, icon } from "./dom.js";

/** @param {string} text @param {string} label */
export function copyButton(text, label) {
  const words = h("span", { "aria-live": "polite" }, label);
  return h("button", { type: "button", class: "button", onclick: copy }, icon("copy"), words);

  async function copy() {
    words.textContent = (await toClipboard(text)) ? "Copied" : "Copying is not allowed here";
    setTimeout(() => (words.textContent = label), 2500);
  }
}

/** @param {string} text @returns {Promise<boolean>} */
async function toClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Plain http has no clipboard interface; the old way works inside a click.
    const area = h("textarea", { value: text, class: "sr-only" });
    (document.querySelector("dialog[open]") || document.body).appendChild(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
