// @ts-check
/** One webhook: how it stands at a glance, and inside what may be done about it. */

import { fill, h, icon } from "../counter/dom.js";
import { say } from "../page.js";
import { deliveriesView } from "./deliveries.js";
import { webhookForm } from "./form.js";
import { secretView } from "./secret.js";
import { STATES, at, sentence, wanted } from "./words.js";

/** @typedef {import("./words.js").Api} Api */
/** @typedef {import("./words.js").Webhook} Webhook */

const LOOK_MS = 400;
const LONGEST_LOOKS = 120;

/**
 * @param {Api} api @param {Webhook} webhook @param {boolean} pairs whether this server can sign with key pairs
 * @param {() => Promise<void>} gone called when it was deleted
 * @returns {HTMLDetailsElement}
 */
export function webhookView(api, webhook, pairs, gone) {
  const path = `/v1/webhooks/${webhook.id}`;
  let known = webhook;
  const name = h("bdi", { class: "strong one-line" });
  const pill = h("span", { class: "pill" });
  const address = h("span", { class: "small muted one-line" });
  const why = h("p", { class: "notice", "data-tone": "warn" });
  const about = h("p", { class: "small muted" });
  const told = h("p", { class: "hint", role: "status" });
  const trouble = h("p", { class: "error", role: "alert" });
  const test = h("button", { type: "button", class: "button", onclick: () => void tryOut() }, icon("bell"), "Send a test");
  const toggle = h("button", { type: "button", class: "button", onclick: () => void turn() });
  const remove = h("button", { type: "button", class: "button danger", onclick: () => void ask() }, "Delete");
  const deliveries = deliveriesView(api, path, () => known.state !== "off", async () => stand(await api("GET", path)));
  const edit = h("details", { class: "account-change" });
  let sure = 0;

  const details = h("details", { class: "webhook" },
    h("summary", {}, h("span", { class: "webhook-head" }, name, address), pill, icon("down")),
    h("div", { class: "stack webhook-inside" },
      why, about, h("div", { class: "row" }, test, toggle), told, trouble,
      deliveries.node, secretView(api, path, webhook.signing, pairs), edit, h("div", { class: "row" }, remove)));
  details.addEventListener("toggle", () => deliveries.watch(details.open));

  /** How it is now; what somebody is typing stays. @param {Webhook} now */
  function stand(now) {
    known = now;
    const [state, word] = STATES[now.state];
    say(name, now.name);
    say(address, now.url);
    pill.dataset.state = state;
    say(pill, now.state === "active" ? word : `${word} since ${at(now.since_ms)}`);
    why.hidden = now.state === "active" || (now.state === "off" && !now.why);
    say(why, now.state === "failing" ? "Nothing has arrived there since then. Each event is tried for three days; after five days without an answer the webhook is turned off and you get a mail." : `Turned off: ${now.why} Events that happen while it is off are not posted later.`);
    say(about, `${wanted(now.events)}.`);
    const words = now.state === "off" ? "Turn it on" : "Turn it off";
    if (toggle.textContent !== words) fill(toggle, icon(now.state === "off" ? "play" : "pause"), words);
    toggle.classList.toggle("primary", now.state === "off");
  }

  /** @param {Webhook} now */
  function show(now) {
    stand(now);
    fill(edit, h("summary", {}, "Change address, name or events", icon("down")), webhookForm(now, false, "Save", async (next) => {
      await change(next);
      edit.open = false;
      say(told, "Saved.");
    }));
  }

  /** @param {object} next */
  async function change(next) {
    show(await api("PATCH", path, next));
    await deliveries.look();
  }

  async function turn() {
    toggle.setAttribute("aria-busy", "true");
    try {
      await change({ on: known.state === "off" });
      say(trouble, "");
      say(told, "");
    } catch (problem) {
      say(trouble, sentence(problem));
    }
    toggle.removeAttribute("aria-busy");
  }

  async function tryOut() {
    test.setAttribute("aria-busy", "true");
    say(told, "The test is on its way.");
    say(trouble, "");
    try {
      const { id } = await api("POST", `${path}/test`);
      say(told, await answerTo(id));
    } catch (problem) {
      say(told, "");
      say(trouble, sentence(problem));
    }
    test.removeAttribute("aria-busy");
    await deliveries.look();
  }

  /** @param {string} id @returns {Promise<string>} */
  async function answerTo(id) {
    for (let looks = 0; looks < LONGEST_LOOKS; looks += 1) {
      const { delivery, attempts } = await api("GET", `${path}/deliveries/${id}`);
      if (delivery.state === "sent") {
        const last = attempts[attempts.length - 1];
        return `The test arrived, and was taken within ${last.ended_ms - last.started_ms} ms.`;
      }
      if (delivery.state === "failed" || delivery.state === "dropped") throw new Error(`The test did not arrive. ${delivery.outcome}`);
      await new Promise((wait) => window.setTimeout(wait, LOOK_MS));
    }
    return "The test is still on its way.";
  }

  async function ask() {
    window.clearTimeout(sure);
    if (!remove.dataset.sure) {
      remove.dataset.sure = "yes";
      remove.textContent = "Delete it with its deliveries";
      sure = window.setTimeout(() => {
        delete remove.dataset.sure;
        remove.textContent = "Delete";
      }, 5000);
      return;
    }
    try {
      await api("DELETE", path);
      deliveries.watch(false);
      await gone();
    } catch (problem) {
      say(trouble, sentence(problem));
    }
  }

  show(webhook);
  return details;
}
