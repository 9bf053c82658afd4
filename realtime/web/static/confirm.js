// @ts-check
/** Confirms an e-mail address with the secret of a mailed link, which leaves the address bar first. */

import { fill, h } from "./counter/dom.js";
import { lastClosing } from "./last_closing.js";
import { byId, say } from "./page.js";
import { takeSecret } from "./secret.js";
import { Problem, call, createSession, tellAccount, wasSignedIn } from "./session.js";

const CONFIRMED = "nowserving_confirmed";
const token = takeSecret();

/** @param {string} title @param {string} words @param {HTMLElement[]} next */
function show(title, words, ...next) {
  say(byId("confirm-title"), title);
  say(byId("confirm-words"), words);
  fill(byId("confirm-next"), next);
}

async function confirmed() {
  const title = "Your address is confirmed";
  const state = await stateOfStore();
  if (state === "open") show(title, "The report of your store goes there when you close.", toCounter());
  else if (state === "sent") show(title, "Your store has closed. Its report was sent there, and your guests’ data is deleted.", toOpen());
  else if (state === "none") show(title, "The reports of your stores go there.", toOpen());
  else if (state) show(title, "Your store has closed, and its report goes there now. Then your guests’ data is deleted.", toCounter("See how far it is"));
  else show(title, "The report of your store goes there.", toCounter());
}

const toOpen = () => h("a", { class: "button primary big", href: "/open" }, "Open the next store");

/** "sent" where the report of the last store went out just now, "none" where nothing is left of it, empty where this browser cannot know: the mail may be read on another device. */
async function stateOfStore() {
  if (!wasSignedIn()) return "";
  try {
    const session = createSession({ onLost: () => {} });
    const { store_id: id } = await session.api("GET", "/v1/account");
    if (id) return (await session.api("GET", `/v1/stores/${encodeURIComponent(id)}/closing`)).state;
    return (await lastClosing(session))?.delivered ? "sent" : "none";
  } catch {
    return "";
  }
}

const toCounter = (words = "Go to your counter") => h("a", { class: "button primary big", href: "/counter" }, words);

async function confirm() {
  try {
    await call("POST", "/v1/email/confirm", { token });
    sessionStorage.setItem(CONFIRMED, "1");
    tellAccount();
    await confirmed();
  } catch (fault) {
    const problem = /** @type {Problem} */ (fault);
    if (problem.retry) show("That did not work yet", problem.message, h("button", { type: "button", class: "button primary big", onclick: confirm }, "Try again"));
    else show("This link does not work", problem.message, h("a", { class: "button primary big", href: "/account" }, "Send a new link"));
  }
}

if (token) void confirm();
else if (sessionStorage.getItem(CONFIRMED)) void confirmed();
else show("Open the link in the mail", "This page needs the whole link. If you opened it before, your counter tells whether your address is still to be confirmed.", toCounter());
