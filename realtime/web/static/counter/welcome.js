// @ts-check
/** A counter that nobody has joined yet: the QR, and what to do with it. */

import { boardLink, createCode } from "./code.js";
import { fill, h, icon } from "./dom.js";

/** @param {{holdUp: () => void, addGuest: () => void}} context */
export function createWelcome({ holdUp, addGuest }) {
  const code = createCode();
  const board = h("div", { class: "stack welcome-board" });
  const node = h(
    "section",
    { class: "welcome", hidden: true },
    h(
      "div",
      { class: "welcome-words stack" },
      h("h2", { class: "title" }, "Scan this with your phone to try it"),
      h("p", { class: "muted" }, "You get the first number, and it appears here at once. Each code is good for one scan; then a new one shows by itself."),
      h("div", { class: "row" },
        h("button", { type: "button", class: "button primary big", onclick: holdUp }, icon("expand"), "Show large"),
        h("button", { type: "button", class: "button big", onclick: addGuest }, icon("plus"), "Add a guest by hand")),
      board,
    ),
    code.node,
  );
  let link = "";
  return {
    node,
    /** @param {import("./state.js").Counter} state */
    render(state) {
      code.render(state);
      const next = state.live.store?.board_link ?? "";
      if (next !== link) fill(board, ...boardLink((link = next)));
    },
  };
}
