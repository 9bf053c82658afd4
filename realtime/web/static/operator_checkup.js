// @ts-check
/** What needs a person, each finding with what to do next and the button that leads there. */

import { fill, h, icon } from "./counter/dom.js";
import { say } from "./page.js";

/** @typedef {{kind: string, of: string, text: string, todo: string}} Finding */
/** @typedef {{choose: (queue: string, state: string) => unknown, resume: (queue: string) => unknown}} Ways */

/** Kind -> the standing of the jobs that it is about. */
const STATES = /** @type {Record<string, string>} */ ({ dead_letters: "dead", reports: "dead", blocked_lanes: "blocking", unconfirmed: "held", backlog: "ready", unsettled: "ready" });
/** What a screen reader hears, and only when it has changed. */
const news = h("p", { class: "sr-only", role: "status" });
const body = h("div", { class: "stack" });
const time = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });

/** @param {Element} place @param {{at_ms: number, findings: Finding[]}} diagnosis @param {Ways} ways */
export function checkUp(place, { at_ms, findings }, ways) {
  const focused = document.activeElement instanceof HTMLElement && place.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  const looked = h("span", { class: "small muted" }, `Checked ${time.format(at_ms)}`);
  if (!place.contains(body)) fill(place, news, body);
  say(news, findings.length === 1 ? "1 thing needs you." : findings.length ? `${findings.length} things need you.` : "All is well.");
  if (findings.length) fill(body, h("div", { class: "spread" }, h("h2", {}, "Needs you"), looked), h("ul", { class: "card findings" }, ...findings.map((finding) => row(finding, ways))));
  else fill(body, h("p", { class: "spread all-well" }, h("span", { class: "row" }, icon("check"), "All is well."), looked));
  if (focused) /** @type {HTMLElement | null} */ (place.querySelector(`[data-key="${CSS.escape(focused)}"]`))?.focus();
}

/** @param {Finding} finding @param {Ways} ways */
function row(finding, ways) {
  return h("li", {}, icon("alert"), h("div", {}, h("p", {}, h("b", {}, ...breakable(finding.text))), h("p", { class: "small muted" }, finding.todo)), way(finding, ways));
}

/** A queue's name goes on in the next line behind a slash, not anywhere. @param {string} text */
function breakable(text) {
  return text.split(/(?<=\/)/).flatMap((part) => [part, h("wbr")]);
}

/** @param {Finding} finding @param {Ways} ways */
function way({ kind, of }, ways) {
  const state = STATES[kind];
  const props = { type: "button", class: "button small-button", "data-key": `${kind} ${of}` };
  if (of && kind === "paused") return h("button", { ...props, onclick: () => ways.resume(of), "aria-label": `Resume ${of}` }, "Resume");
  return of && state ? h("button", { ...props, onclick: () => ways.choose(of, state), "aria-label": `Show jobs of ${of}` }, "Show") : null;
}
