// @ts-check
/** The outbox: what was kept instead of sent, the newest first, one opened at a time. Looks again every few seconds. */

import { fill, h, icon } from "./counter/dom.js";
import { bubble, letter } from "./messages/shown.js";
import { byId, say } from "./page.js";
import { createSession, request } from "./session.js";

/** @typedef {{id: string, at_ms: number, notifier: string, recipient: string, moment: string, subject: string, text: string, html: string}} Kept */

const LOOK_MS = 3000;
const OPERATOR = "nowserving operator";
const MEANS = /** @type {Record<string, string>} */ ({ sms: "Text message", email: "E-mail" });
const MOMENTS = /** @type {Record<string, string>} */ ({ joined: "They joined", almost: "Almost their turn", called: "Their turn", store_closed: "Report", confirm_email: "Confirm the address", reset_password: "New password", email_changed: "Address changed" });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });

const words = byId("outbox-words");
const root = byId("outbox");
const operator = location.hash === "#operator" ? sessionStorage.getItem(OPERATOR) : null;
const session = operator === null ? createSession() : null;
const list = h("ol", { class: "outbox-list" });
const open = h("div", { class: "outbox-open", "aria-live": "polite" });
fill(root, list, open);
let chosen = "";
let drawn = "";

/** @returns {Promise<{captures: boolean, messages: Kept[]}>} */
async function ask() {
  if (session) return session.api("GET", "/v1/outbox");
  return (await request("GET", "/v1/operator/outbox", undefined, { token: operator ?? "" })).json();
}

async function look() {
  try {
    const { captures, messages } = await ask();
    say(words, said(captures, messages.length));
    root.hidden = !messages.length;
    const now = messages.map(({ id, at_ms }) => `${id} ${at_ms}`).join();
    if (now !== drawn) draw(messages);
    drawn = now;
  } catch (problem) {
    say(words, problem instanceof Error ? problem.message : String(problem));
  }
  setTimeout(() => void look(), LOOK_MS);
}

/** @param {boolean} captures @param {number} count */
function said(captures, count) {
  if (!captures) return "Messages are sent here, so nothing is kept. To try things out without sending, whoever runs this server sets capture_messages.";
  return count ? "Nothing leaves: this is what would have been sent. A store’s messages are deleted with its data." : "Nothing leaves, and nothing was to be sent yet. Join your own line with a phone number or an address.";
}

/** @param {Kept[]} messages */
function draw(messages) {
  const was = messages.find(({ id }) => id === chosen) ?? messages[0];
  const focused = list.contains(document.activeElement);
  fill(list, ...messages.map((kept) => h("li", {},
    h("button", { type: "button", class: "outbox-row", "aria-pressed": String(kept === was), "data-id": kept.id, onclick: () => show(kept) },
      icon(kept.notifier === "sms" ? "phone" : "mail"),
      h("span", { class: "outbox-about" }, h("span", { class: "strong" }, MOMENTS[kept.moment] ?? kept.moment), h("bdi", { class: "small muted one-line" }, kept.recipient)),
      h("time", { class: "small muted", dateTime: new Date(kept.at_ms).toISOString() }, clock.format(kept.at_ms))))));
  if (was) show(was);
  if (focused) /** @type {HTMLElement|null} */ (list.querySelector('[aria-pressed="true"]'))?.focus();
}

/** @param {Kept} kept */
function show(kept) {
  for (const row of list.querySelectorAll(".outbox-row")) row.setAttribute("aria-pressed", String(/** @type {HTMLElement} */ (row).dataset.id === kept.id));
  if (kept.id === chosen && open.childElementCount) return;
  const picked = chosen !== "";
  chosen = kept.id;
  const at = day.format(kept.at_ms);
  fill(open,
    h("dl", { class: "facts" }, ...[["To", kept.recipient], ["By", MEANS[kept.notifier] ?? kept.notifier], ["At", at]].map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, h("bdi", {}, value))))),
    kept.notifier === "sms" ? bubble("Your store", kept.text, at) : letter({ about: MOMENTS[kept.moment] ?? kept.moment, subject: kept.subject, text: kept.text, html: kept.html }));
  if (picked && matchMedia("(max-width: 48rem)").matches) open.scrollIntoView({ block: "start" });
}

void look();
