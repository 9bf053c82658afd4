// @ts-check
/** A message as a phone or a mail program shows it. */

import { h } from "../counter/dom.js";

/** A text in a bubble, on the top of a phone. @param {string} from @param {string} text @param {string} [at] */
export function bubble(from, text, at = "now") {
  return h("div", { class: "phone-top" },
    h("p", { class: "phone-from" }, h("span", { class: "phone-face", "aria-hidden": "true" }, (from || "?").slice(0, 1).toUpperCase()), h("bdi", {}, from)),
    h("p", { class: "bubble", dir: "auto" }, ...linked(text)),
    h("p", { class: "small muted bubble-at" }, `Text message · ${at}`));
}

/** @param {string} text */
function linked(text) {
  return text.split(/(https?:\/\/\S+)/).map((part, at) => (at % 2 ? h("span", { class: "bubble-link" }, part) : part));
}

/**
 * A mail with its head and its page; the page can do nothing but open its links beside this one.
 * @param {{about: string, subject: string, text: string, html: string}} mail
 */
export function letter({ about, subject, text, html }) {
  return h("article", { class: "letter" },
    h("header", { class: "letter-head" },
      h("p", { class: "letter-subject strong", dir: "auto" }, subject || "No subject"),
      h("p", { class: "small muted" }, about)),
    html ? page(html, subject) : h("div", { class: "letter-text prose", dir: "auto" }, text));
}

/** @param {string} html @param {string} subject */
function page(html, subject) {
  const frame = h("iframe", { class: "letter-page", title: `The mail: ${subject}`, sandbox: "allow-popups allow-popups-to-escape-sandbox" });
  frame.srcdoc = html.replace(/<head[^>]*>/i, (head) => `${head}<base target="_blank">`);
  return frame;
}
