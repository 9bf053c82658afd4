// @ts-check
/** Languages by name: those with texts, one more to add, and what guests are told whose language has none. */

import { fill, h } from "../counter/dom.js";

const MORE = "ar bg bn ca cs da el et eu fa fi gl he hi hr hu id is ja ka ko lb lt lv mk ms nb nl pl pt ro ru sk sl sq sr sv sw th uk ur vi zh".split(" ");
const names = new Intl.DisplayNames(["en"], { type: "language" });

/** @param {string} tag */
export const nameOf = (tag) => names.of(tag) ?? tag;

/**
 * @param {{tags: () => string[], own: (tag: string) => boolean, chosen: () => string, choose: (tag: string) => void, usual: () => string, setUsual: (tag: string) => Promise<void>}} part
 */
export function languagesView({ tags, own, chosen, choose, usual, setUsual }) {
  const chips = h("div", { class: "chips", role: "radiogroup", "aria-label": "Language" });
  const more = h("select", { class: "input chip-more", "aria-label": "Add a language", onchange: () => more.value && choose(more.value) });
  const other = h("select", { class: "input", id: "usual-language", onchange: () => void setUsual(other.value) });

  function render() {
    const all = tags();
    const focused = chips.contains(document.activeElement);
    fill(chips, ...all.map((tag) => h("label", { class: "chip" },
      h("input", { type: "radio", name: "language", value: tag, checked: tag === chosen(), onchange: () => choose(tag) }),
      h("span", {}, nameOf(tag), own(tag) ? h("span", { class: "chip-own", title: "With a text of yours" }, h("span", { class: "sr-only" }, ", with a text of yours")) : null))));
    if (focused) /** @type {HTMLElement|null} */ (chips.querySelector("input:checked"))?.focus();
    const left = MORE.filter((tag) => !all.includes(tag)).sort((a, b) => nameOf(a).localeCompare(nameOf(b)));
    fill(more, h("option", { value: "" }, "Another language"), ...left.map((tag) => h("option", { value: tag }, nameOf(tag))));
    more.value = "";
    fill(other, ...[...new Set([...all, usual()])].map((tag) => h("option", { value: tag }, nameOf(tag))));
    other.value = usual();
  }

  return {
    chips: h("div", { class: "language-row" }, chips, more),
    usual: h("div", { class: "field usual" }, h("label", { htmlFor: "usual-language" }, "Language for everybody else"), other, h("p", { class: "hint" }, "Read by guests whose phone speaks a language that has no text here, and by those you add by hand.")),
    render,
  };
}
