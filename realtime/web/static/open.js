// @ts-check
/** Opens a store, and makes the account at the same time for those who have none. */

import { fill, h, icon } from "./counter/dom.js";
import { faults, onSend } from "./counter/forms.js";
import { lastClosing } from "./last_closing.js";
import { byId, say } from "./page.js";
import { call, createSession, wasSignedIn } from "./session.js";

/** @typedef {import("./session.js").Account} Account */

const MOST_QUEUES = 26;
const EXAMPLES = ["Table for four", "Bar", "Terrace", "Pick-up"];
const form = byId("open-form", HTMLFormElement);
const list = byId("queues", HTMLOListElement);
const zones = byId("timezone", HTMLSelectElement);
const session = createSession({ onLost: () => {} });

// ---- queues ----

/** @param {string} value */
function addQueue(value) {
  const input = h("input", { class: "input", value, maxLength: 80, autocomplete: "off", placeholder: EXAMPLES[(list.children.length + 3) % EXAMPLES.length] });
  const remove = h("button", { type: "button", class: "button plain icon-only", onclick: () => dropQueue(item) }, icon("close"));
  const item = h("li", { class: "open-queue" }, h("span", { class: "queue-letter", "aria-hidden": "true" }), h("div", { class: "open-queue-name" }, input, h("span", { class: "error" })), remove);
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    addQueue("").focus();
  });
  list.appendChild(item);
  count();
  return input;
}

/** @param {HTMLElement} item */
function dropQueue(item) {
  const near = /** @type {HTMLElement|null} */ (item.nextElementSibling || item.previousElementSibling);
  item.remove();
  count();
  near?.querySelector("input")?.focus();
}

/** Letters, names and faults follow the order of the lines. */
function count() {
  [...list.children].forEach((item, at) => {
    const letter = String.fromCharCode(65 + at);
    const [input, error] = /** @type {[HTMLInputElement, HTMLElement]} */ (/** @type {unknown} */ ([item.querySelector("input"), item.querySelector(".error")]));
    say(/** @type {Element} */ (item.firstElementChild), letter);
    input.name = `queues.${at}.name`;
    input.id = `queue-${at}`;
    error.id = `queue-${at}-error`;
    input.setAttribute("aria-label", `Name of queue ${letter}`);
    input.setAttribute("aria-describedby", `queues-hint ${error.id}`);
    const remove = /** @type {HTMLButtonElement} */ (item.lastElementChild);
    remove.setAttribute("aria-label", `Take queue ${letter} out`);
    remove.hidden = list.children.length === 1;
  });
  byId("add-queue").hidden = list.children.length >= MOST_QUEUES;
}

const named = () => [...list.querySelectorAll("input")].map((input) => input.value.trim());

// ---- timezone ----

const own = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const known = typeof Intl.supportedValuesOf === "function" ? Intl.supportedValuesOf("timeZone") : [];
for (const zone of new Set([own, "UTC", ...known])) zones.appendChild(h("option", { value: zone, selected: zone === own }, zone.replaceAll("_", " ")));

function showZone() {
  say(byId("timezone-words"), `Times are those of ${zones.value.replaceAll("_", " ")}.`);
}

byId("timezone-change").addEventListener("click", () => {
  const shown = !byId("timezone-field").toggleAttribute("hidden");
  byId("timezone-change").setAttribute("aria-expanded", String(shown));
  if (shown) zones.focus();
});
zones.addEventListener("change", showZone);

// ---- sending ----

onSend(form, async () => {
  const given = new FormData(form);
  const text = (/** @type {string} */ name) => String(given.get(name) ?? "").trim();
  const queues = named().filter(Boolean).map((name) => ({ name }));
  const missing = [];
  if (!text("name")) missing.push({ field: "name", detail: "Type the name that guests know your store by." });
  if (!session.signedIn()) {
    if (!/^[^\s@]+@[^\s@]+$/.test(text("email"))) missing.push({ field: "email", detail: "Type an e-mail address. The report goes there." });
    if (String(given.get("password")).length < 8) missing.push({ field: "password", detail: "Use at least 8 characters." });
  }
  if (!queues.length) missing.push({ field: "queues.0.name", detail: "Name at least one queue." });
  if (missing.length) throw faults(missing);
  const store = { name: text("name"), queues, timezone: zones.value };
  if (session.signedIn()) {
    await session.api("POST", "/v1/stores", store);
  } else {
    const opened = await call("POST", "/v1/stores", { ...store, email: text("email"), password: String(given.get("password")) });
    if (opened.tokens) session.adopt(opened.tokens);
  }
  showCounter();
});

function showCounter() {
  localStorage.setItem("nowserving_code_shown", "1");
  location.assign("/counter");
}

// ---- those who have been here before ----

/** @param {Account} account */
async function welcomeBack(account) {
  byId("new-account").remove();
  byId("signin-link").remove();
  if (account.store_id) return notYet(account.store_id);
  const again = byId("again");
  fill(byId("open-words"), "Signed in as ", h("bdi", {}, account.email), ".");
  if (!account.has_template) return;
  await tellClosed(account);
  const button = h("button", { type: "button", class: "button primary big wide", onclick: () => void openAgain(button, problem) }, "Open it again");
  const problem = h("p", { class: "error", role: "alert" });
  again.hidden = false;
  fill(again, h("h2", {}, h("bdi", {}, account.template_name), ", as last time"), h("p", { class: "muted" }, "The same name, queues, texts and settings. One press, and the QR code is on the screen."), button, problem);
  again.after(h("h2", { class: "open-other" }, "Or something else"));
  form.querySelector("[type=submit]")?.classList.remove("primary");
}

/** Who comes from a closing that has just ended learns how it went. @param {Account} account */
async function tellClosed(account) {
  const last = await lastClosing(session);
  if (!last) return;
  const went = last.delivered ? " is closed. Its report was sent, and your guests’ data is deleted. " : " is closed, and your guests’ data is deleted. ";
  byId("again").before(h("p", { class: "notice", role: "status" }, h("span", {}, h("bdi", {}, account.template_name), went, h("a", { href: "/account" }, "See the receipt"))));
}

/** The next store waits for the one that there is, open or being closed. @param {string} storeId */
async function notYet(storeId) {
  form.hidden = true;
  const { state } = await session.api("GET", `/v1/stores/${encodeURIComponent(storeId)}/closing`).catch(() => ({ state: "open" }));
  const open = state === "open";
  say(byId("open-words"), open ? "One store is open at a time. Close yours before you open the next one." : "You can open the next one as soon as your last store is closed and its data deleted.");
  const counter = h("a", { class: "button primary big wide", href: "/counter" }, open ? "Go to your counter" : "See how far it is");
  fill(byId("again"), h("h2", {}, open ? "Your store is open" : "Your last store is not finished yet"), counter);
  byId("again").hidden = false;
}

/** @param {HTMLButtonElement} button @param {HTMLElement} line */
async function openAgain(button, line) {
  button.setAttribute("aria-busy", "true");
  try {
    await session.api("POST", "/v1/stores/again");
    showCounter();
  } catch (problem) {
    line.textContent = problem instanceof Error ? problem.message : String(problem);
    button.removeAttribute("aria-busy");
  }
}

async function start() {
  addQueue("Tables");
  showZone();
  byId("add-queue").addEventListener("click", () => addQueue("").focus());
  if (!wasSignedIn()) return;
  try {
    if (await session.start()) await welcomeBack(await session.api("GET", "/v1/account"));
  } catch {
    // The server cannot be reached: the form stays and says so when it is sent.
  }
}

void start();
