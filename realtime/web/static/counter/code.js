// @ts-check
/** The QR code that customers scan: it renews itself, can be held up, and says when it cannot be trusted. */

import { h, icon } from "./dom.js";
import { say } from "../page.js";
import { copyButton } from "./copy.js";

/**
 * @typedef {import("./state.js").Counter} Counter
 * @typedef {import("../live/reducer.js").Code} Code
 */

const ELEMENTS = new Set(["svg", "path", "rect", "g"]);
const ATTRIBUTES = new Set(["viewbox", "width", "height", "d", "fill", "stroke", "stroke-width", "transform", "class", "x", "y", "shape-rendering"]);

/**
 * An SVG from the server as an element, of which only shapes are kept.
 * @param {string} text @param {string} words what a screen reader says
 */
export function drawing(text, words) {
  const svg = new DOMParser().parseFromString(text, "text/html").querySelector("svg");
  if (!svg) return h("span", { class: "muted" }, "No code");
  for (const node of [svg, ...svg.querySelectorAll("*")]) {
    if (!ELEMENTS.has(node.localName)) node.remove();
    for (const { name } of [...node.attributes]) if (!ATTRIBUTES.has(name.toLowerCase())) node.removeAttribute(name);
  }
  const [width, height] = [svg.getAttribute("width"), svg.getAttribute("height")];
  if (!svg.hasAttribute("viewBox") && width && height) svg.setAttribute("viewBox", `0 0 ${parseFloat(width)} ${parseFloat(height)}`);
  svg.removeAttribute("width");
  svg.removeAttribute("height");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", words);
  svg.setAttribute("shape-rendering", "crispEdges");
  return document.importNode(svg, true);
}

/** @param {import("../live/reducer.js").State} live */
const allPaused = ({ queues }) => queues.size > 0 && [...queues.values()].every(({ paused }) => paused);

/** A QR that follows the state. @returns {{node: HTMLElement, render: (state: Counter) => void}} */
export function createCode() {
  const picture = h("div", { class: "qr" });
  const warning = h("p", { class: "code-warning", hidden: true });
  const node = h("div", { class: "code" }, picture, warning);
  let number = -1;
  return {
    node,
    render({ live, connection }) {
      const { code } = live;
      if (code && code.number !== number) {
        number = code.number;
        picture.replaceChildren(drawing(code.svg, "QR code to join the line"));
      }
      const why = connection === "stale" ? "Not connected. This code may have been used." : allPaused(live) ? "All queues are paused. Nobody can join." : "";
      node.classList.toggle("stale", why !== "");
      warning.hidden = !why;
      if (why) say(warning, why);
    },
  };
}

/** The code as it stands beside the queues, with what goes with it. @param {{holdUp: () => void, hide: () => void}} context */
export function createCodePanel({ holdUp, hide }) {
  const code = createCode();
  const links = h("div", { class: "stack" });
  let shown = "";
  const node = h(
    "aside",
    { class: "code-panel", "aria-label": "Join code", hidden: true },
    h("div", { class: "spread" }, h("h2", {}, "Scan to join"), h("button", { type: "button", class: "button plain icon-only", "aria-label": "Hide the code", onclick: hide }, icon("close"))),
    code.node,
    h("p", { class: "small muted" }, "Good for one scan, then a new one appears by itself."),
    h("button", { type: "button", class: "button wide", onclick: holdUp }, icon("expand"), "Show large"),
    links,
  );
  return {
    node,
    /** @param {Counter} state */
    render(state) {
      code.render(state);
      const link = state.live.store?.board_link ?? "";
      if (link === shown) return;
      shown = link;
      links.replaceChildren(...boardLink(link));
    },
  };
}

/** The link to the board for a TV. @param {string} link @returns {HTMLElement[]} */
export function boardLink(link) {
  if (!link) return [];
  return [
    h("h3", {}, "Board for a TV"),
    h("p", { class: "small muted" }, "Shows numbers only. Whoever has this link can see it."),
    h("div", { class: "row" }, h("a", { class: "button", href: link, target: "_blank", rel: "noopener" }, "Open"), copyButton(link, "Copy link")),
  ];
}

/** The code over the whole screen, to be held up. @param {import("./state.js").Store} store */
export function openHoldUp(store) {
  const back = document.activeElement;
  const code = createCode();
  const name = h("bdi", {}, store.get().live.store?.name ?? "");
  const close = () => dialog.close();
  const dialog = h(
    "dialog",
    { class: "hold-up", "aria-label": "Join code, large" },
    h("p", { class: "hold-up-title" }, name),
    code.node,
    h("p", { class: "hold-up-words" }, "Scan with your phone to join the line"),
    h("button", { type: "button", class: "button big", autofocus: true, onclick: close }, "Close"),
  );
  document.body.appendChild(dialog);
  code.render(store.get());
  const unwatch = store.watch((next) => {
    code.render(next);
    if (next.live.store?.state !== "open") close();
  });
  /** @type {{release: () => Promise<void>}|null} */
  let awake = null;
  dialog.addEventListener("close", () => {
    unwatch();
    awake?.release().catch(() => {});
    dialog.remove();
    if (back instanceof HTMLElement) back.focus({ preventScroll: true });
  });
  dialog.showModal();
  void stayAwake();

  async function stayAwake() {
    try {
      awake = (await navigator.wakeLock?.request("screen")) ?? null;
      if (!dialog.open) await awake?.release();
    } catch {
      // The screen may then dim; the code works all the same.
    }
  }
}
