// @ts-check
/** Confirms an e-mail address with the secret of a mailed link, which leaves the address bar first. */

import { fill, h } from "./counter/dom.js";
import { byId, say } from "./page.js";
import { Problem, call, tellAccount } from "./session.js";

const CONFIRMED = "nowserving_confirmed";
const token = decodeURIComponent(location.hash.slice(1));
history.replaceState(null, "", location.pathname);

/** @param {string} title @param {string} words @param {HTMLElement[]} next */
function show(title, words, ...next) {
  say(byId("confirm-title"), title);
  say(byId("confirm-words"), words);
  fill(byId("confirm-next"), next);
}

function confirmed() {
  show("Your address is confirmed", "The report of your store goes there when you close.", toCounter());
}

const toCounter = () => h("a", { class: "button primary big", href: "/counter" }, "Go to your counter");

async function confirm() {
  try {
    await call("POST", "/v1/email/confirm", { token });
    sessionStorage.setItem(CONFIRMED, "1");
    tellAccount();
    confirmed();
  } catch (fault) {
    const problem = /** @type {Problem} */ (fault);
    if (problem.retry) show("That did not work yet", problem.message, h("button", { type: "button", class: "button primary big", onclick: confirm }, "Try again"));
    else show("This link does not work", problem.message, h("a", { class: "button primary big", href: "/account" }, "Send a new link"));
  }
}

if (token) void confirm();
else if (sessionStorage.getItem(CONFIRMED)) confirmed();
else show("Open the link in the mail", "This page needs the whole link. If you opened it before, your counter tells whether your address is still to be confirmed.", toCounter());
