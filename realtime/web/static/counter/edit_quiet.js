// @ts-check
/** The part of the edit form that says at what time guests are written nothing but that they are called. */

import { h, icon } from "./dom.js";

/** @param {string} hours as EditStore's quiet_hours: "22:00-08:00", or empty @param {string} timezone */
export function quietEditor(hours, timezone) {
  const [begin, end] = hours ? hours.split("-") : ["", ""];
  // A fault is about both: it is said under the first one.
  const from = h("input", { class: "input", id: "quiet-from", name: "quiet_hours", type: "time", value: begin, "aria-describedby": "quiet-hint quiet-from-error" });
  const until = h("input", { class: "input", type: "time", value: end, "aria-describedby": "quiet-hint quiet-from-error" });
  const value = () => (from.value || until.value ? `${from.value}-${until.value}` : "");
  const node = h(
    "details",
    { class: "edit-part" },
    h("summary", {}, icon("clock"), "Quiet hours", icon("down")),
    h("div", { class: "stack" },
      h("div", { class: "row quiet" }, h("label", {}, h("span", {}, "From"), from), h("label", {}, h("span", {}, "until"), until)),
      h("span", { class: "error", id: "quiet-from-error" }),
      h("p", { class: "hint", id: "quiet-hint" }, `By the clock of ${timezone.replaceAll("_", " ")}. No text message or e-mail then says that guests joined, or that it is almost their turn. “It’s your turn” always goes. Leave both empty for none.`)),
  );
  return { node, value, changed: () => value() !== hours };
}
