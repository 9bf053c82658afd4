// @ts-check
/** Fields with their label, hint and fault beside them, and a form that sends once at a time. */

import { h } from "./dom.js";

/**
 * @typedef {HTMLInputElement|HTMLTextAreaElement|HTMLSelectElement} Control
 * @typedef {{hint?: string, optional?: boolean}} FieldOptions
 */

let lastId = 0;

/**
 * A labelled field. `control.name` is the path that a fault of it has on the wire, with dots only: queues.0.name.
 * @param {string} label @param {Control} control @param {FieldOptions} [options]
 */
export function field(label, control, { hint = "", optional = false } = {}) {
  lastId += 1;
  const id = `field-${lastId}`;
  control.id = id;
  control.classList.add("input");
  control.setAttribute("aria-describedby", hint ? `${id}-hint ${id}-error` : `${id}-error`);
  return h(
    "div",
    { class: "field" },
    h("label", { htmlFor: id }, label, optional ? h("span", { class: "optional" }, " (optional)") : null),
    control,
    hint ? h("span", { class: "hint", id: `${id}-hint` }, hint) : null,
    h("span", { class: "error", id: `${id}-error` }),
  );
}

/** A tick box with its words. @param {string} label @param {{name: string, checked?: boolean}} props */
export function check(label, props) {
  return h("label", { class: "check" }, h("input", { type: "checkbox", ...props }), h("span", {}, label));
}

/** @param {HTMLFormElement} form */
export function clearFaults(form) {
  for (const node of form.querySelectorAll(".error")) node.textContent = "";
  for (const node of form.querySelectorAll("[aria-invalid]")) node.removeAttribute("aria-invalid");
}

/** What was wrong with a field is over once it is edited. @param {HTMLElement} control */
function clearFault(control) {
  const line = control.id && document.getElementById(`${control.id}-error`);
  if (!line) return;
  control.removeAttribute("aria-invalid");
  line.textContent = "";
}

/**
 * Say what is wrong beside the fields it is about; what is about none goes to the form's own line, `[data-fault]`.
 * @param {HTMLFormElement} form @param {unknown} fault
 */
export function showFault(form, fault) {
  const problem = /** @type {{message?: string, field?: string|null, fields?: {field: string, detail: string}[]}} */ (fault);
  const faults = problem.fields?.length ? problem.fields : [{ field: problem.field || "", detail: problem.message || String(fault) }];
  const rest = [];
  /** @type {HTMLElement|null} */
  let first = null;
  for (const { field: path, detail } of faults) {
    const name = path.replace(/\[(\d+)\]/g, ".$1");
    const control = name ? /** @type {HTMLElement|null} */ (form.querySelector(`[name="${CSS.escape(name)}"]`)) : null;
    const line = control && document.getElementById(`${control.id}-error`);
    if (control && line) {
      for (let part = control.closest("details"); part; part = part.parentElement?.closest("details") ?? null) part.open = true;
      control.setAttribute("aria-invalid", "true");
      line.textContent = detail;
      first ??= control;
    } else {
      rest.push(detail);
    }
  }
  const general = /** @type {HTMLElement|null} */ (form.querySelector("[data-fault]"));
  if (general && rest.length) {
    general.textContent = rest.join(" ");
    general.tabIndex = -1;
    first ??= general;
  }
  first?.focus();
}

/** The line for what is wrong with the form as a whole. */
export const faultLine = () => h("p", { class: "error", role: "alert", "data-fault": "" });

/**
 * Send a form with `send`, once at a time; what `send` throws is shown in the form.
 * @param {HTMLFormElement} form @param {() => Promise<unknown>} send
 */
export function onSend(form, send) {
  form.noValidate = true;
  form.addEventListener("input", ({ target }) => clearFault(/** @type {HTMLElement} */ (target)));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = /** @type {HTMLButtonElement} */ (event.submitter || form.querySelector("[type=submit]"));
    if (button.getAttribute("aria-busy") === "true") return;
    clearFaults(form);
    button.setAttribute("aria-busy", "true");
    try {
      await send();
    } catch (fault) {
      showFault(form, fault);
    } finally {
      button.removeAttribute("aria-busy");
    }
  });
}

/** A fault found before anything was sent. @param {string} name @param {string} detail */
export function fault(name, detail) {
  return Object.assign(new Error(detail), { field: name });
}

/** Several of them at once, in the order of the form. @param {{field: string, detail: string}[]} fields */
export function faults(fields) {
  return Object.assign(new Error(fields.map(({ detail }) => detail).join(" ")), { fields });
}
