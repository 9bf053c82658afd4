// @ts-check
/** A dialog with a title and a way out; the focus goes back to where it was. */

import { h, icon } from "./dom.js";

/**
 * @typedef {{kind?: "sheet"|"middle"|"wide", onclose?: () => void}} DialogOptions
 * @param {string} title @param {(HTMLElement|string)[]} content @param {DialogOptions} [options]
 * @returns {{dialog: HTMLDialogElement, close: () => void}}
 */
export function openDialog(title, content, { kind = "sheet", onclose } = {}) {
  const back = document.activeElement;
  const id = `dialog-${crypto.getRandomValues(new Uint32Array(1))[0]}`;
  const close = () => dialog.close();
  const dialog = h(
    "dialog",
    { class: `dialog counter-dialog ${kind}`, "aria-labelledby": id },
    h(
      "div",
      { class: "counter-dialog-head" },
      h("h2", { id, tabIndex: -1 }, title),
      h("button", { type: "button", class: "button plain icon-only", "aria-label": "Close", onclick: close }, icon("close")),
    ),
    h("div", { class: "counter-dialog-body" }, ...content),
  );
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) close();
  });
  dialog.addEventListener("close", () => {
    dialog.remove();
    onclose?.();
    if (back instanceof HTMLElement && back.isConnected) back.focus({ preventScroll: true });
  });
  document.body.appendChild(dialog);
  dialog.showModal();
  const first = /** @type {HTMLElement|null} */ (dialog.querySelector("[autofocus]") || dialog.querySelector("h2"));
  first?.focus({ preventScroll: true });
  return { dialog, close };
}
