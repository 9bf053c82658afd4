// @ts-check
// The parties in the join form: steppers, more parties, values out, errors in.

import { byId, say } from "./page.js";
import { faultPhrase, phrase } from "./phrases.js";

const MOST_PARTIES = 5;
/** What the server would refuse at once; all else about these it knows better. */
const EMAIL = /^[^\s@]+@[^\s@]+[.\u3002][^\s@]+$/;
const PHONE = /^[+\uff0b]?[\p{Nd}\s().\-/\u2010-\u2015]+$/u;
const LEAST_DIGITS = 4;
/** @type {Record<string, string>} */
const WRONG = { queue: "join.wrong_queue", name: "join.wrong_name", party: "join.wrong_party", phone: "join.wrong_phone", email: "join.wrong_email" };

/** @typedef {{name: string, queue: string, phone: string, email: string, party: number}} Party */

/** @param {ParentNode} root */
export function wakeSteppers(root) {
  for (const stepper of root.querySelectorAll(".stepper")) {
    const input = /** @type {HTMLInputElement} */ (stepper.querySelector("input"));
    const buttons = /** @type {NodeListOf<HTMLButtonElement>} */ (stepper.querySelectorAll("button"));
    const limit = () => buttons.forEach((button) => (button.disabled = Number(input.value) === Number(Number(button.dataset.step) < 0 ? input.min : input.max)));
    for (const button of buttons) {
      button.hidden = false;
      button.onclick = () => {
        const wanted = (Number(input.value) || 1) + Number(button.dataset.step);
        input.value = String(Math.min(Number(input.max), Math.max(Number(input.min), wanted)));
        limit();
        forgive(input);
      };
    }
    input.addEventListener("input", limit);
    limit();
  }
}

/** @returns {HTMLElement[]} */
function parties() {
  return [.../** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("#parties > .party"))];
}

/** Numbers the parties and makes every label, field and error belong together. */
function arrange() {
  const all = parties();
  all.forEach((party, at) => {
    const legend = party.querySelector("legend");
    if (legend) legend.textContent = at ? phrase("join.party", { number: at + 1 }) : phrase("join.your_party");
    const title = party.querySelector("[data-title]");
    if (title) title.textContent = phrase("join.party", { number: at + 1 });
    if (!at) return;
    for (const field of /** @type {NodeListOf<HTMLInputElement>} */ (party.querySelectorAll("input, select"))) {
      field.id = `${field.name}-${at}`;
      const label = (field.closest(".field") ?? field.closest(".people"))?.querySelector("label");
      if (label) label.htmlFor = field.id;
      const error = party.querySelector(`[data-error="${field.name}"]`);
      if (error) error.id = `error-${field.id}`;
      const hint = field.closest(".field")?.querySelector(".hint");
      if (hint) hint.id = `hint-${field.id}`;
      field.setAttribute("aria-describedby", `${hint ? `${hint.id} ` : ""}error-${field.id}`);
    }
  });
  byId("add-party").hidden = all.length >= MOST_PARTIES;
}

function addParty() {
  const template = byId("party-template", HTMLTemplateElement);
  const party = /** @type {HTMLElement} */ (/** @type {DocumentFragment} */ (template.content.cloneNode(true)).firstElementChild);
  const select = /** @type {HTMLSelectElement} */ (party.querySelector("select"));
  for (const choice of /** @type {NodeListOf<HTMLInputElement>} */ (document.querySelectorAll("#queues input"))) {
    const name = choice.parentElement?.querySelector(".choice-name")?.textContent ?? choice.value;
    select.append(Object.assign(document.createElement("option"), { value: choice.value, textContent: name, disabled: choice.disabled }));
  }
  select.value = chosenQueue() || select.querySelector("option:not(:disabled)")?.getAttribute("value") || "";
  /** @type {HTMLElement} */ (party.querySelector("[data-more-queue]")).hidden = select.length < 2;
  /** @type {HTMLElement} */ (party.querySelector("[data-remove]")).onclick = () => {
    party.remove();
    arrange();
    byId(byId("add-party").hidden ? "join" : "add-party").focus();
  };
  byId("parties").append(party);
  wakeSteppers(party);
  arrange();
  party.querySelector("input")?.focus();
}

function chosenQueue() {
  return /** @type {HTMLInputElement | null} */ (document.querySelector("#queues input:checked"))?.value ?? "";
}

/** @returns {Party[]} */
export function readParties() {
  return parties().map((party, at) => {
    const value = (/** @type {string} */ name) => /** @type {HTMLInputElement | null} */ (party.querySelector(`[name="${name}"]`))?.value.trim() ?? "";
    const queue = at ? value("queue") : chosenQueue();
    return { name: value("name"), queue, phone: value("phone"), email: value("email"), party: Number(value("party") || 1) };
  });
}

/** What is still to be filled in or put right, in the order of the page, so that all of it is said at one press. */
export function missing() {
  return readParties().flatMap(({ queue, name, party, phone, email }, at) => {
    /** @type {[string, boolean][]} */
    const wanted = [
      ["queue", queue !== ""],
      ["name", name !== ""],
      ["party", Number.isInteger(party) && party >= 1 && party <= 99],
      ["phone", !phone || isPhone(phone, needsCode())],
      ["email", !email || EMAIL.test(email)],
    ];
    return wanted.filter(([, right]) => !right).map(([field]) => ({ field: `parties[${at}].${field}`, detail: wrong(field) }));
  });
}

function needsCode() {
  return byId("phone").hasAttribute("data-needs-code");
}

/** What is to be put right in a field; empty for one that is not of this form. @param {string} field @returns {string} */
function wrong(field) {
  return Object.hasOwn(WRONG, field) ? phrase(field === "phone" && needsCode() ? "join.wrong_phone_code" : WRONG[field]) : "";
}

/**
 * What the server refused, in the page's language. What a plugin says of a party stays as it was said.
 * @param {string} code @param {string} field @param {string} detail
 */
export function refusal(code, field, detail) {
  const known = document.documentElement.lang !== "en" && code === "invalid_input" ? wrong(nameOf(field)) : "";
  return { field, detail: known || faultPhrase({ code, message: detail }) };
}

/** @param {string} text @param {boolean} withCode */
function isPhone(text, withCode) {
  const digits = text.match(/\p{Nd}/gu)?.length ?? 0;
  return PHONE.test(text) && digits >= LEAST_DIGITS && (!withCode || /^[+\uff0b]/.test(text));
}

/** @param {string} field its path */
function nameOf(field) {
  return field.split(/[.\]]/).pop() ?? "";
}

export function clearErrors() {
  for (const error of document.querySelectorAll("[data-error]")) say(error, "");
  for (const field of document.querySelectorAll("[aria-invalid]")) field.removeAttribute("aria-invalid");
}

/** A field that is edited is right until it is sent again. @param {HTMLInputElement | HTMLSelectElement} field */
function forgive(field) {
  const scope = field.closest(".party") ?? byId("queues");
  const error = scope.querySelector(`[data-error="${field.name}"]`);
  if (error) say(error, "");
  for (const same of scope.querySelectorAll(`[name="${field.name}"]`)) same.removeAttribute("aria-invalid");
  say(byId("error-form"), "");
}

/**
 * Puts each sentence next to its field, or under the form where it belongs to none, and goes to the first.
 * @param {{field: string, detail: string}[]} faults `field` such as "parties.0.phone", "parties[0].phone" or "phone"
 */
export function showErrors(faults) {
  clearErrors();
  /** @type {HTMLElement | null} */
  let first = null;
  for (const { field, detail } of faults) {
    const at = Number(/parties[.[](\d)/.exec(field)?.[1] ?? 0);
    const name = nameOf(field);
    const scope = at === 0 && name === "queue" ? byId("queues") : parties()[at];
    const place = name ? scope?.querySelector(`[data-error="${name}"]`) : null;
    say(place ?? byId("error-form"), detail);
    const input = /** @type {HTMLElement | null} */ (place ? scope.querySelector(`[name="${name}"]`) : null);
    input?.setAttribute("aria-invalid", "true");
    first ??= input;
  }
  first?.focus();
}

/** Brings the form to life. */
export function wakeForm() {
  wakeSteppers(byId("join-form"));
  if (document.querySelectorAll("#queues input").length === 1) byId("queues").dataset.only = "";
  byId("add-party").onclick = addParty;
  byId("join-form").addEventListener("input", (event) => forgive(/** @type {HTMLInputElement} */ (event.target)));
  arrange();
}
