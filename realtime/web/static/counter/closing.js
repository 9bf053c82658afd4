// @ts-check
/** How far the closing is, step by step, and what the owner can do where it waits. */

import { clockTime } from "../live/clock.js";
import { askDelete, correctAddress, reportFiles } from "./closing_ask.js";
import { fill, h, icon } from "./dom.js";
import { dayAndTime } from "./times.js";

/**
 * @typedef {import("./state.js").Closing} Closing
 * @typedef {import("./state.js").Counter} Counter
 * @typedef {import("./state.js").SignedReceipt} SignedReceipt
 * @typedef {import("./closing_ask.js").AskContext & {storeId: string}} ClosingContext
 */

const FIRST_MS = 1_000;
const MOST_MS = 30_000;
const WAITS_FOR_OWNER = new Set(["confirmation", "decision"]);
const ORDER = ["open", "closing", "reported", "settled", "purged"];

/** @param {ClosingContext} context */
export function createClosing(context) {
  const { session, store, storeId } = context;
  const path = `/v1/stores/${encodeURIComponent(storeId)}`;
  const steps = h("ol", { class: "closing-steps" });
  const ask = h("div", { class: "closing-ask", role: "status" });
  const name = h("p", { class: "store-name", dir: "auto" });
  const title = h("h1", { class: "title" });
  const lead = h("p", { class: "muted" });
  const node = h("main", { class: "wrap closing", hidden: true }, h("div", { class: "stack closing-head" }, name, title, lead), steps, ask);
  let waitMs = FIRST_MS;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  let timer;
  let running = false;
  /** @type {Closing|null} */
  let shown = null;

  async function poll() {
    clearTimeout(timer);
    try {
      const closing = /** @type {Closing} */ (await session.api("GET", `${path}/closing`));
      waitMs = closing.state === shown?.state ? Math.min(MOST_MS, waitMs * 1.6) : FIRST_MS;
      store.dispatch({ type: "closing", closing });
      if (closing.state === "purged") return;
    } catch {
      waitMs = Math.min(MOST_MS, waitMs * 2);
    }
    timer = setTimeout(poll, waitMs);
  }

  /** @param {() => Promise<unknown>} act */
  async function doing(act) {
    try {
      await act();
      waitMs = FIRST_MS;
      await poll();
    } catch (fault) {
      context.commands.complain(fault);
    }
  }

  /** @param {Counter} state */
  function render(state) {
    node.hidden = state.live.store?.state === "open" && !state.closing;
    if (node.hidden) return;
    if (!running) {
      running = true;
      void poll();
    }
    const closing = state.closing;
    if (!closing || closing === shown) return;
    shown = closing;
    const done = closing.state === "purged";
    name.textContent = state.live.store?.name ?? "";
    title.textContent = done ? "All done" : "Closed for today";
    lead.textContent = done
      ? "Your guests’ data is deleted. The receipt below is all that is left."
      : WAITS_FOR_OWNER.has(closing.waits_for)
        ? "Nobody can join any more. One thing needs you before the data is deleted."
        : "Nobody can join any more. The rest happens by itself; you can leave this page.";
    fill(steps, ...stepsOf(closing, state));
    fill(ask, ...asked(closing, state));
  }

  /** @param {Closing} closing @param {Counter} state */
  function asked(closing, state) {
    if (closing.state === "purged") {
      return [receiptCard(closing.receipt, state), h("a", { class: "button primary big wide", href: "/open" }, "Open the next store")];
    }
    const wait = { confirmation, delivery, decision }[closing.waits_for];
    return wait ? [h("section", { class: "card stack" }, ...wait(closing, state))] : [];
  }

  const deleteNow = () => h("button", { type: "button", class: "button danger", onclick: () => askDelete(() => doing(() => session.api("POST", `${path}/delete`))) }, "Delete now");
  const resend = (/** @type {string} */ words) =>
    h("button", { type: "button", class: "button primary", onclick: () => void doing(() => session.api("POST", `${path}/report/resend`)) }, words);

  /** @param {Closing} closing @param {Counter} state */
  function confirmation(closing, { account }) {
    return [
      h("h2", {}, "The report waits for your address"),
      h("p", {}, "Open the link that we sent to ", h("bdi", { class: "strong" }, account.email), ". As soon as it is confirmed, the report goes there. Nothing is deleted before."),
      reportFiles(context, path, closing.files),
      h("div", { class: "row" },
        h("button", { type: "button", class: "button primary", onclick: () => void doing(async () => { await session.api("POST", "/v1/email/resend"); context.toast.show({ say: "The mail is on its way." }); }) }, "Send the link again"),
        h("button", { type: "button", class: "button", onclick: () => correctAddress(context, poll) }, "Correct the address"), deleteNow()),
    ];
  }

  /** @param {Closing} closing */
  function delivery(closing) {
    const late = closing.deliveries.find((one) => one.state === "waiting" && one.attempts > 0);
    const next = late?.due_ms ? ` The next try is at ${clockTime(late.due_ms)}.` : "";
    return [
      h("h2", {}, late ? "The mail did not get through yet" : "The report is on its way"),
      h("p", {}, late ? `It was tried ${late.attempts === 1 ? "once" : `${late.attempts} times`}.${next} Your data is kept until it worked.` : "Your data is kept until it has arrived."),
      late?.outcome ? h("p", { class: "small muted" }, h("bdi", {}, late.outcome)) : null,
      reportFiles(context, path, closing.files),
      h("div", { class: "row" }, late ? resend("Try now") : null, deleteNow()),
    ];
  }

  /** @param {Closing} closing @param {Counter} state */
  function decision(closing, { account }) {
    const failed = closing.deliveries.find((one) => one.state === "dead");
    return [
      h("h2", {}, "Please decide"),
      h("p", {}, account.captures
        ? "Nothing leaves this server while it is tried out, so nothing was deleted. Download the report, then delete the data."
        : account.can_mail
          ? "The report could not be delivered, so nothing was deleted. Download it, then delete the data, or try again."
          : "This server cannot send e-mail, so nothing was deleted. Download the report, then delete the data."),
      failed?.outcome && !account.captures ? h("p", { class: "small muted" }, h("bdi", {}, failed.outcome)) : null,
      reportFiles(context, path, closing.files),
      h("div", { class: "row" }, sends(account) ? resend("Try again") : null,
        sends(account) ? h("button", { type: "button", class: "button", onclick: () => correctAddress(context, poll) }, "Correct the address") : null, deleteNow()),
    ];
  }

  return { node, render, /** Something happened; look at once. */ poll: () => running && void poll() };
}

/** @param {Closing} closing @param {Counter} state */
function stepsOf(closing, { account }) {
  const reached = ORDER.indexOf(closing.state);
  const parties = closing.tickets === 1 ? "1 ticket" : `${closing.tickets} tickets`;
  const delivered = closing.deliveries.filter((one) => one.state === "done").map((one) => one.recipient || one.notifier);
  const handed = reached >= 3 || (reached >= 2 && delivered.length > 0 && delivered.length === closing.deliveries.length);
  /** @type {[string, boolean][]} */
  const lines = [
    ["The store is closed", reached >= 1],
    [reached >= 2 ? `The report is made: ${parties}` : "Making the report", reached >= 2],
    [handed ? handedWords(closing, delivered) : waitingWords(closing, account), handed],
    [reached >= 4 ? "Your guests’ data is deleted" : "Deleting your guests’ data", reached >= 4],
  ];
  const current = lines.findIndex(([, done]) => !done);
  return lines.map(([words, done], at) =>
    h("li", { "data-step": done ? "done" : at !== current ? "later" : WAITS_FOR_OWNER.has(closing.waits_for) ? "waits" : "now", "aria-current": at === current ? "step" : null },
      h("span", { class: "step-mark" }, done ? icon("check") : ""),
      h("span", {}, words, h("span", { class: "sr-only" }, done ? " (done)" : at === current ? " (now)" : " (later)")),
    ));
}

/** @param {Closing} closing @param {string[]} delivered */
function handedWords(closing, delivered) {
  if (closing.receipt && !closing.receipt.receipt.delivered) return "The report was not sent, as you decided";
  if (delivered.length) return `The report was sent to ${delivered.join(", ")}`;
  return closing.receipt ? "The report was delivered" : "The report is settled";
}

/** Whether mail leaves this server. @param {import("../session.js").Account} account */
function sends(account) {
  return account.can_mail && !account.captures;
}

/** @param {Closing} closing @param {import("../session.js").Account} account */
function waitingWords(closing, account) {
  if (closing.waits_for === "confirmation") return `The report waits for ${account.email} to be confirmed`;
  if (closing.waits_for === "decision") return sends(account) ? "The report could not be delivered" : "The report waits for you to download it";
  return sends(account) ? `Sending the report to ${account.email}` : "The report waits for you to download it";
}

/** @param {SignedReceipt|null} receipt @param {Counter} state */
function receiptCard(receipt, { live }) {
  return receipt ? receiptView(receipt, live.store?.name) : null;
}

/** A receipt, readable. @param {SignedReceipt} signed @param {string} [name] */
export function receiptView({ receipt, signature }, name) {
  const time = (/** @type {number} */ ms) => (ms ? dayAndTime(ms) : "");
  /** @type {[string, string|number][]} */
  const rows = [
    ["Opened", time(receipt.opened_ms)],
    ["Closed", time(receipt.closed_ms)],
    ["Deleted", time(receipt.deleted_ms)],
    ["Tickets", receipt.tickets],
    ["Report", receipt.delivered ? "delivered" : "not delivered; the owner decided"],
    ...Object.entries(receipt.report).map(([file, sum]) => /** @type {[string, string]} */ ([`SHA-256 of ${file}`, sum])),
    ["Signature", signature],
  ];
  return h("section", { class: "card stack receipt" }, h("h2", {}, name ? h("bdi", {}, `Receipt · ${name}`) : "Receipt"),
    h("dl", { class: "facts" }, ...rows.filter(([, value]) => value !== "").map(([term, value]) => h("div", {}, h("dt", {}, term), h("dd", {}, String(value))))));
}
