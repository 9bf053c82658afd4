// @ts-check
/** Asks when a job may be tried next. */

import { fault, faultLine, field, onSend } from "./counter/forms.js";
import { h } from "./counter/dom.js";

/** @param {number} dueMs when it is due now; 0: nobody knows. @param {(dueMs: number) => Promise<unknown>} send */
export function whenForm(dueMs, send) {
  const input = h("input", { name: "due_ms", type: "datetime-local", value: local(Math.max(dueMs, Date.now())) });
  const form = h("form", { class: "when-form" },
    field("May be tried from", input, { hint: "By this device’s clock. A time that is over means now." }),
    h("button", { type: "submit", class: "button small-button" }, "Save"), faultLine());
  onSend(form, async () => {
    const at = new Date(input.value).getTime();
    if (!input.value || Number.isNaN(at)) throw fault("due_ms", "Choose a day and a time.");
    await send(Math.max(at, 0));
  });
  return form;
}

/** As a field of this device's time wants it. @param {number} ms */
function local(ms) {
  const at = new Date(ms);
  return new Date(ms - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
