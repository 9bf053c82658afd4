// @ts-check
/** Confirms an e-mail address with the secret of a mailed link, which leaves the address bar first. */

import { fill, h } from "./counter/dom.js";
import { byId, say } from "./page.js";
import { Problem, call } from "./session.js";

const token = decodeURIComponent(location.hash.slice(1));
history.replaceState(null, "", location.pathname);

/** @param {string} title @param {string} words @param {HTMLElement[]} next */
function show(title, words, ...next) {
  say(byId("confirm-title"), title);
  say(byId("confirm-words"), words);
  fill(byId("confirm-next"), next);
}

async function confirm() {
  try {
    await call("POST", "/v1/email/confirm", { token });
    show("Your address is confirmed", "The report of your store goes there when you close.", h("a", { class: "button primary big", href: "/counter" }, "Go to your counter"));
  } catch (fault) {
    const problem = /** @type {Problem} */ (fault);
    if (problem.retry) show("That did not work yet", problem.message, h("button", { type: "button", class: "button primary big", onclick: confirm }, "Try again"));
    else show("This link does not work", problem.message, h("a", { class: "button primary big", href: "/account" }, "Send a new link"));
  }
}

if (token) void confirm();
else show("This link does not work", "It is not whole. Open it from the mail again.", h("a", { class: "button primary big", href: "/account" }, "Send a new link"));
