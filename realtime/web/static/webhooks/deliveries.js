// @ts-check
/** What was and will be posted to one webhook: the newest first, each with what it says and how it went, and a way to post it again. */

import { fill, h, icon, keep } from "../counter/dom.js";
import { say } from "../page.js";
import { SHAPES, at, event, sentence, standing } from "./words.js";

/** @typedef {import("./words.js").Api} Api */
/** @typedef {import("./words.js").Delivery} Delivery */

const PAGE = 8;
const LOOK_MS = 2500;

/**
 * @param {Api} api @param {string} path the webhook's own
 * @param {() => boolean} on whether the webhook is on
 * @param {() => Promise<void>} beside looks at the webhook itself
 * @returns {{node: HTMLElement, look: () => Promise<void>, watch: (yes: boolean) => void}}
 */
export function deliveriesView(api, path, on, beside) {
  const list = h("ul", { class: "delivery-list" });
  const empty = h("p", { class: "muted" }, "Nothing yet. Send a test to see what arrives.");
  const trouble = h("p", { class: "error", role: "alert" });
  const told = h("p", { class: "hint", role: "status" });
  const older = h("button", { type: "button", class: "button small-button", hidden: true, onclick: () => void more() }, "Show older ones");
  const failed = h("button", { type: "button", class: "button small-button", hidden: true, onclick: () => void replayFailed() }, icon("undo"), "Post what failed again");
  let shown = PAGE;
  let timer = 0;
  let watching = false;

  async function look() {
    window.clearTimeout(timer);
    if (!document.hidden) {
      try {
        await beside();
        const { deliveries, next } = await api("GET", `${path}/deliveries?limit=${shown}`);
        show(deliveries, Boolean(next));
        say(trouble, "");
      } catch (problem) {
        say(trouble, sentence(problem));
      }
    }
    if (watching) timer = window.setTimeout(() => void look(), LOOK_MS);
  }

  /** @param {Delivery[]} all @param {boolean} more_ */
  function show(all, more_) {
    empty.hidden = all.length > 0;
    older.hidden = !more_ || shown >= 100;
    failed.hidden = !on() || !all.some(({ state, type }) => type !== "ping" && (state === "failed" || state === "dropped"));
    keep(list, all, (delivery) => delivery.id, (delivery) => row(api, `${path}/deliveries/${delivery.id}`, on, look), (node, delivery) => rows.get(node)?.(delivery));
  }

  async function more() {
    shown = Math.min(shown + 4 * PAGE, 100);
    await look();
  }

  async function replayFailed() {
    failed.setAttribute("aria-busy", "true");
    try {
      let count = 0;
      let since_ms = 0;
      do {
        const said = await api("POST", `${path}/replay`, { since_ms, only_failed: true });
        count += said.replayed;
        since_ms = said.next_ms;
      } while (since_ms);
      say(told, count === 1 ? "1 is posted again." : `${count} are posted again, in their order.`);
    } catch (problem) {
      say(trouble, sentence(problem));
    }
    failed.removeAttribute("aria-busy");
    await look();
  }

  return {
    node: h("div", { class: "stack delivery-part" }, h("div", { class: "spread" }, h("h3", {}, "Deliveries"), failed), empty, list, h("div", { class: "row" }, older), told, trouble),
    look,
    watch(yes) {
      watching = yes;
      window.clearTimeout(timer);
      if (yes) void look();
    },
  };
}

/** How each row takes what is new of its delivery. @type {WeakMap<HTMLElement, (delivery: Delivery) => void>} */
const rows = new WeakMap();

/** @param {Api} api @param {string} path @param {() => boolean} on @param {() => Promise<void>} changed */
function row(api, path, on, changed) {
  const shape = h("span", { class: "shape", "aria-hidden": "true" });
  const what = h("span", { class: "strong" });
  const when = h("span", { class: "small muted delivery-when" });
  const how = h("span", { class: "small muted delivery-how" });
  const inside = h("div", { class: "stack delivery-inside" });
  const again = h("button", { type: "button", class: "button small-button", onclick: () => void replay() }, "Post again");
  const trouble = h("p", { class: "error", role: "alert" });
  const content = h("div", { class: "stack" });
  const details = h("details", { class: "delivery" }, h("summary", {}, shape, h("span", { class: "delivery-head" }, what, how), when, icon("down")), inside);
  const node = h("li", {}, details);
  /** @type {Delivery | undefined} */
  let known;
  fill(inside, content, h("div", { class: "row" }, again), trouble);

  details.addEventListener("toggle", () => {
    if (details.open) void open();
  });

  async function open() {
    try {
      const { payload, attempts } = await api("GET", path);
      fill(content,
        h("ol", { class: "attempts" }, ...attempts.map((/** @type {{number: number, started_ms: number, ended_ms: number, outcome: string}} */ each) =>
          h("li", {}, `${each.number}. ${at(each.started_ms, true)}: ${each.ended_ms ? `${capital(each.outcome)}${each.outcome.endsWith(".") ? "" : "."}` : "on its way."}${each.ended_ms ? ` ${each.ended_ms - each.started_ms} ms` : ""}`))),
        payload === null ? h("p", { class: "hint" }, "What it said was thrown away.") : h("pre", { class: "payload", tabIndex: 0, role: "region", "aria-label": "What is posted" }, JSON.stringify(payload, null, 2)),
        h("p", { class: "hint" }, "webhook-id ", h("code", {}, path.split("/").pop() ?? "")));
      say(trouble, "");
    } catch (problem) {
      say(trouble, sentence(problem));
    }
  }

  async function replay() {
    again.setAttribute("aria-busy", "true");
    try {
      await api("POST", `${path}/replay`);
      await changed();
      say(trouble, "");
    } catch (problem) {
      say(trouble, sentence(problem));
    }
    again.removeAttribute("aria-busy");
  }

  rows.set(node, (delivery) => {
    const moved = known && (known.state !== delivery.state || known.attempts !== delivery.attempts);
    known = delivery;
    node.dataset.state = SHAPES[delivery.state];
    say(what, event(delivery.type));
    say(how, standing(delivery));
    say(when, at(delivery.created_ms));
    say(again, delivery.state === "retrying" ? "Try now" : "Post again");
    again.hidden = !on() || delivery.type === "ping" || delivery.state === "sending" || delivery.state === "waiting";
    if (moved && details.open) void open();
  });
  return node;
}

/** @param {string} text */
function capital(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
