// @ts-check
/** The part of the edit form that says how a guest is reached when it is their turn: one rung for each way, free ones first. */

import { h, icon } from "./dom.js";

/**
 * @typedef {import("../live/reducer.js").Step} Step
 * @typedef {import("./state.js").Counter["account"]} Account
 */

const NOT_REACHED = "not_reached";
/** Ways that can be added though the store does not have them yet. */
const KNOWN = ["web_push", "sms", "email", NOT_REACHED];
/** @type {Record<string, string>} */
const WAYS = {
  web_push: "A push message, if they allow it",
  sms: "An SMS to their phone",
  email: "An e-mail",
  [NOT_REACHED]: "“Not reached” here at the counter",
};
const FIRST_S = 20;
const LAST_S = 120;

/** @param {Step[]} steps @param {Account} account */
export function ladderEditor(steps, account) {
  const missing = KNOWN.filter((channel) => !steps.some((step) => step.channel === channel));
  const rungs = [...steps, ...missing.map((channel) => ({ channel, after_s: null }))].map((step) => rung(step, account));
  const node = h(
    "details",
    { class: "edit-part" },
    h("summary", {}, icon("bell"), "When it’s their turn", icon("down")),
    h("div", { class: "stack" },
      h("p", { class: "hint" }, "One step after the other, until their page has shown the call. Who looks at it is sent nothing more."),
      h("ol", { class: "ladder" },
        h("li", { class: "rung" }, h("span", { class: "rung-mark" }), h("span", { class: "rung-way strong" }, "Their open page"), h("span", { class: "rung-time muted" }, "at once")),
        ...rungs.map((each) => each.node))),
  );
  const value = () => rungs.map((each, at) => each.value(at));
  const known = new Map(steps.map((step) => [step.channel, step.after_s]));
  return {
    node,
    /** As EditStore's ladder; the fields learn the path that a fault of theirs will have. */
    value,
    changed: () => value().some((step) => step.after_s !== (known.get(step.channel) ?? null)),
  };
}

/** @param {Step} step @param {Account} account */
function rung(step, account) {
  const way = WAYS[step.channel] ?? step.channel;
  const id = `rung-${step.channel}`;
  const seconds = h("input", {
    class: "input", id, type: "number", min: "0", max: "3600", inputMode: "numeric", "aria-describedby": `${id}-error`,
    "aria-label": `Seconds until: ${way}`, value: String(step.after_s ?? (step.channel === NOT_REACHED ? LAST_S : FIRST_S)),
  });
  const used = h("input", { type: "checkbox", checked: step.after_s !== null, onchange: show });
  const time = h("label", { class: "rung-time" }, h("span", {}, "after"), seconds, h("span", {}, "s"));
  const never = h("span", { class: "rung-time never muted" }, "not used");
  const node = h(
    "li",
    { class: "rung" },
    h("span", { class: "rung-mark" }),
    h("label", { class: "check rung-way" }, used, h("span", {}, way)),
    time, never,
    note(step.channel, account),
    h("span", { class: "error", id: `${id}-error` }),
  );
  show();

  function show() {
    time.hidden = !used.checked;
    never.hidden = used.checked;
    node.toggleAttribute("data-unused", !used.checked);
  }

  return {
    node,
    /** @param {number} at @returns {Step} */
    value(at) {
      seconds.name = `ladder.${at}.after_s`;
      // An empty field is not 0: it is sent as it is, so that the server says what is missing.
      return { channel: step.channel, after_s: used.checked ? (seconds.value.trim() === "" ? /** @type {any} */ ("") : Number(seconds.value)) : null };
    },
  };
}

/** What this server cannot do is said where it is chosen. @param {string} channel @param {Account} account */
function note(channel, account) {
  const cannot = (channel === "sms" && !account.can_text) || (channel === "email" && !account.can_mail);
  return cannot ? h("span", { class: "hint rung-note" }, `This server cannot send ${channel === "sms" ? "text messages" : "e-mail"}, so this step is skipped.`) : null;
}
