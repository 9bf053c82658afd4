// @ts-check
/** The owner's address and password, the tokens of their programs, their webhooks, and the receipts of past stores. */

import { receiptView } from "./counter/closing.js";
import { fill, h, icon } from "./counter/dom.js";
import { fault, faultLine, field, onSend } from "./counter/forms.js";
import { byId, say } from "./page.js";
import { createSession } from "./session.js";
import { tokensView } from "./programs.js";
import { webhooksView } from "./webhooks.js";

/** @typedef {import("./session.js").Account} Account */

const session = createSession();
const words = byId("account-words");

/** @param {Account} account */
function address(account) {
  const note = h("p", { class: "hint", role: "status" });
  const resend = h("button", { type: "button", class: "button", onclick: sendAgain }, "Send the link again");

  async function sendAgain() {
    resend.setAttribute("aria-busy", "true");
    try {
      await session.api("POST", "/v1/email/resend");
      say(note, "The mail is on its way. Open the link in it.");
    } catch (problem) {
      say(note, problem instanceof Error ? problem.message : String(problem));
    }
    resend.removeAttribute("aria-busy");
  }

  const pill = account.confirmed ? h("span", { class: "pill", "data-state": "done" }, "Confirmed") : h("span", { class: "pill", "data-state": "called" }, "Not confirmed yet");
  return h("section", { class: "card stack" },
    h("h2", {}, "E-mail"),
    h("p", { class: "row" }, h("bdi", { class: "strong" }, account.email), pill),
    account.confirmed ? h("p", { class: "muted" }, "The report of your store goes there when you close.") : h("p", {}, "The report needs a confirmed address. Open the link in the mail that we sent."),
    account.can_mail ? null : h("p", { class: "notice", "data-tone": "warn" }, "This server cannot send e-mail. Reports can be downloaded at the counter."),
    account.confirmed || !account.can_mail ? null : h("div", { class: "row" }, resend),
    note,
    changeEmail());
}

function changeEmail() {
  const email = h("input", { name: "email", type: "email", autocomplete: "email", maxLength: 254 });
  const password = h("input", { name: "password", type: "password", autocomplete: "current-password" });
  const form = h("form", { class: "stack" }, field("New e-mail", email), field("Your password", password), faultLine(), h("button", { type: "submit", class: "button primary" }, "Change the e-mail"));
  onSend(form, async () => {
    if (!email.value.includes("@")) throw fault("email", "Type the new e-mail address.");
    await session.api("PUT", "/v1/email", { email: email.value.trim(), password: password.value }).catch(besideThePassword);
    await show("We sent a link to the new address. Open it to confirm.");
  });
  return h("details", { class: "account-change" }, h("summary", {}, "Change the e-mail", icon("down")), form);
}

function password() {
  const old = h("input", { name: "password", type: "password", autocomplete: "current-password" });
  const next = h("input", { name: "new_password", type: "password", autocomplete: "new-password", maxLength: 256 });
  const form = h("form", { class: "stack" }, field("Present password", old), field("New password", next, { hint: "At least 8 characters." }), faultLine(), h("button", { type: "submit", class: "button primary" }, "Change the password"));
  onSend(form, async () => {
    if (next.value.length < 8) throw fault("new_password", "Use at least 8 characters.");
    await session.api("PUT", "/v1/password", { password: old.value, new_password: next.value }).catch(besideThePassword);
    await show("Your password is changed.");
  });
  return h("section", { class: "card stack" }, h("h2", {}, "Password"), h("details", { class: "account-change" }, h("summary", {}, "Change it", icon("down")), form));
}

/** Here the only thing that can be wrong about signing in is the password. @param {unknown} problem @returns {never} */
function besideThePassword(problem) {
  const { code } = /** @type {import("./session.js").Problem} */ (problem);
  throw code === "wrong_password" ? fault("password", "That is not your present password.") : problem;
}

/** @param {Account} account */
function capturing(account) {
  return account.captures ? h("p", { class: "notice", "data-tone": "info" }, h("span", {}, "Nothing leaves: messages are kept in the ", h("a", { href: "/outbox" }, "outbox"), ".")) : null;
}

function toMessages() {
  return h("section", { class: "card stack" }, h("h2", {}, "Messages to guests"),
    h("p", { class: "muted" }, "What they are told by text message and e-mail: in your words, in their language."),
    h("div", { class: "row" }, h("a", { class: "button", href: "/messages" }, icon("edit"), "Write them")));
}

/** @param {import("./counter/state.js").SignedReceipt[]} receipts */
function past(receipts) {
  return h("section", { class: "stack" }, h("h2", {}, "Past receipts"),
    receipts.length ? null : h("p", { class: "muted" }, "When you close a store and its data is deleted, the receipt appears here."),
    ...receipts.map((signed) => receiptView(signed, new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" }).format(signed.receipt.opened_ms))));
}

async function signOut() {
  try {
    await session.signOut();
  } catch (problem) {
    say(words, problem instanceof Error ? problem.message : String(problem));
    words.hidden = false;
    words.scrollIntoView({ block: "nearest" });
  }
}

/** @param {string} say_ what has just happened */
async function show(say_ = "") {
  try {
    const [account, receipts, tokens, webhooks] = await Promise.all(["/v1/account", "/v1/receipts", "/v1/tokens", "/v1/webhooks"].map((path) => session.api("GET", path)));
    say(words, say_);
    words.hidden = !say_;
    const counter = /** @type {HTMLAnchorElement} */ (byId("to-counter"));
    if (!account.store_id) {
      counter.href = "/open";
      say(counter, "Open a store");
    }
    fill(byId("account-parts"), capturing(account), address(account), password(), toMessages(), tokensView(session.api, tokens), webhooksView(session.api, webhooks, byId("account").dataset.ed25519 !== undefined), past(receipts), h("button", { type: "button", class: "button", onclick: () => void signOut() }, "Sign out"));
  } catch (problem) {
    say(words, problem instanceof Error ? problem.message : String(problem));
    words.hidden = false;
  }
}

void show();
