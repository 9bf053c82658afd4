// @ts-check
/** What signs a webhook's events: shown on demand, copied, and exchanged without a gap. */

import { fill, h } from "../counter/dom.js";
import { copyButton } from "../counter/copy.js";
import { say } from "../page.js";
import { at, sentence } from "./words.js";

/**
 * @typedef {{secret: string, old_secret: string, old_secret_until_ms: number}} Secret
 * @param {import("./words.js").Api} api @param {string} path the webhook's own
 */
export function secretView(api, path) {
  const shown = h("div", { class: "stack" });
  const trouble = h("p", { class: "error", role: "alert" });
  const reveal = h("button", { type: "button", class: "button small-button", onclick: () => void show("GET", "/secret") }, "Show the secret");
  const rotate = h("button", { type: "button", class: "button small-button", onclick: () => void ask() }, "Exchange it");
  const note = h("p", { class: "hint", role: "status" });
  let sure = 0;

  /** @param {string} method @param {string} end */
  async function show(method, end) {
    try {
      /** @type {Secret} */
      const found = await api(method, path + end);
      fill(shown, line(found.secret, "Copy"));
      reveal.hidden = true;
      say(note, found.old_secret ? `The secret before signs too until ${at(found.old_secret_until_ms)}, so nothing is lost while you put in the new one.` : "");
      say(trouble, "");
    } catch (problem) {
      say(trouble, sentence(problem));
    }
  }

  async function ask() {
    window.clearTimeout(sure);
    if (!rotate.dataset.sure) {
      rotate.dataset.sure = "yes";
      rotate.textContent = "Exchange it now";
      sure = window.setTimeout(calm, 5000);
      return;
    }
    calm();
    await show("POST", "/rotate");
  }

  function calm() {
    delete rotate.dataset.sure;
    rotate.textContent = "Exchange it";
  }

  return h("div", { class: "stack secret-part" }, h("h3", {}, "Secret"), h("p", { class: "muted small" }, "Your program checks with it that an event comes from here."), shown, h("div", { class: "row" }, reveal, rotate), note, trouble);
}

/** @param {string} secret @param {string} words */
export function line(secret, words) {
  return h("div", { class: "row token-secret" }, h("code", {}, secret), copyButton(secret, words));
}
