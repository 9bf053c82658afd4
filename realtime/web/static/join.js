// @ts-check
// The join page: keeps the scanned code for this phone, then asks for a name and gets a number.

import { clearErrors, missing, readParties, refusal, showErrors, wakeForm } from "./join_form.js";
import { allPaused, createPaused, lookAgain } from "./join_paused.js";
import { byId, pageData, say, setAccent } from "./page.js";
import { faultPhrase, phrase, pieces } from "./phrases.js";
import { Problem, call } from "./session.js";

const KEYS = "nowserving:keys";
const KEPT_MS = 24 * 3600_000;
const DEAD_CODES = new Set(["code_used", "code_expired"]);

const data = pageData();
const form = byId("join-form", HTMLFormElement);
const key = keyOf(data.code);
const paused = createPaused(draw);
let lastBody = "";
let lastKey = "";

/** The secret with which this phone scans this code: the same one after a reload, so that the code stays its own. @param {string} code */
function keyOf(code) {
  try {
    /** @type {Record<string, {key: string, at: number}>} */
    const all = JSON.parse(localStorage.getItem(KEYS) ?? "{}");
    for (const [other, { at }] of Object.entries(all)) if (Date.now() - at > KEPT_MS) delete all[other];
    all[code] ??= { key: random(), at: Date.now() };
    localStorage.setItem(KEYS, JSON.stringify(all));
    return all[code].key;
  } catch {
    return random();
  }
}

function random() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function scan() {
  byId("checking").hidden = allPaused(data);
  try {
    show(await call("POST", `/v1/codes/${encodeURIComponent(data.code)}/scan`, { key }));
  } catch (fault) {
    // Nobody could join with a fresh code either; once somebody can, the page is loaded anew and says what to do.
    if (allPaused(data) && fault instanceof Problem && DEAD_CODES.has(fault.code)) draw(data);
    else stop(fault);
  }
}

/** @param {import("./join_paused.js").Lines & {ticket: string, store: any}} scanned */
function show(scanned) {
  if (scanned.ticket) return location.replace("/ticket");
  setAccent(scanned.store.accent);
  draw(scanned);
}

/** The form with the lines as they are now, or why there is none. @param {import("./join_paused.js").Lines} lines */
function draw(lines) {
  for (const { id, paused } of lines.queues) drawQueue(id, paused, lines.waiting[id] ?? 0);
  byId("checking").hidden = true;
  paused.show(allPaused(lines));
}

/** @param {string} id @param {boolean} paused @param {number} waiting */
function drawQueue(id, paused, waiting) {
  const count = form.querySelector(`[data-queue="${CSS.escape(id)}"]`);
  const input = /** @type {HTMLInputElement | null} */ (form.querySelector(`#queues [value="${CSS.escape(id)}"]`));
  if (!count || !input) return;
  input.disabled = paused;
  if (paused) input.checked = false;
  const number = Object.assign(document.createElement("b"), { textContent: String(waiting) });
  if (paused) count.replaceChildren(phrase("join.paused"));
  else if (waiting === 0) count.replaceChildren(phrase("join.no_wait"));
  else count.replaceChildren(...pieces("join.waiting", waiting, { number }));
}

/** The code cannot be joined with: one sentence in place of the form. @param {unknown} fault */
function stop(fault) {
  const problem = fault instanceof Problem ? fault : new Problem({});
  const main = /** @type {HTMLElement} */ (document.querySelector("main"));
  main.replaceChildren(byId("problem-template", HTMLTemplateElement).content.cloneNode(true));
  const sentence = /** @type {HTMLElement} */ (main.querySelector("[data-sentence]"));
  const again = /** @type {HTMLElement} */ (main.querySelector("[data-again]"));
  document.title = faultPhrase(problem);
  say(sentence, document.title);
  again.hidden = !DEAD_CODES.has(problem.code);
  if (problem.retry) {
    const button = Object.assign(document.createElement("button"), { type: "button", className: "button primary", textContent: phrase("page.again") });
    button.onclick = () => location.reload();
    again.after(button);
  }
  sentence.focus();
}

/** The same key for the same words, so that a second press or a lost answer never joins twice. @param {string} body */
function idempotencyKey(body) {
  if (body !== lastBody) [lastBody, lastKey] = [body, random()];
  return lastKey;
}

/** @param {SubmitEvent} event */
async function join(event) {
  event.preventDefault();
  const button = byId("join", HTMLButtonElement);
  if (button.getAttribute("aria-busy") === "true") return;
  clearErrors();
  const left = missing();
  if (left.length) return showErrors(left);
  button.setAttribute("aria-busy", "true");
  const body = { code: data.code, key, parties: readParties() };
  try {
    await call("POST", "/v1/tickets", body, { idempotencyKey: idempotencyKey(JSON.stringify(body)) });
    location.replace("/ticket");
  } catch (fault) {
    button.removeAttribute("aria-busy");
    refuse(fault);
  }
}

/** @param {unknown} fault */
function refuse(fault) {
  if (!(fault instanceof Problem)) return showErrors([{ field: "", detail: phrase("page.failed") }]);
  if (["code_used", "code_expired", "store_closed", "store_not_found"].includes(fault.code)) return stop(fault);
  const found = fault.fields.length ? fault.fields : [{ field: fault.field ?? "", detail: fault.message }];
  showErrors(found.map(({ field, detail }) => refusal(fault.code, field, detail)));
  if (fault.code === "queue_paused") void redraw();
}

/** A line was paused after this page was drawn. */
async function redraw() {
  try {
    const lines = await lookAgain();
    if (lines) draw(lines);
  } catch {
    // The sentence in the form says enough.
  }
}

wakeForm();
// A code that this phone scanned without JavaScript is joined with in the same way.
if (!data.scanned) {
  form.noValidate = true;
  form.onsubmit = (event) => void join(event);
  void scan();
} else {
  byId("add-party").hidden = true;
}
