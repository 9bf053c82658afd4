// @ts-check
/** One message to write: its subject, its text, the fields that may stand in it, how long it is, and what is wrong with it. */

import { fill, h, icon } from "../counter/dom.js";
import { faultLine, field, onSend } from "../counter/forms.js";
import { say } from "../page.js";

/**
 * @typedef {{name: string, means: string, channels: string[], in_subject: boolean}} Field
 * @typedef {{language: string, subject: string, text: string, html: string, length: {encoding: string, units: number, segments: number, room: number}|null, warnings: string[]}} Preview
 * @typedef {{moment: string, channel: string, language: string, subject: string, text: string}} Wording
 */

/**
 * @param {{fields: Field[], longest: Record<string, number>, changed: (subject: string, text: string) => void, save: () => Promise<void>, reset: () => Promise<void>}} part
 */
export function createEditor({ fields, longest, changed, save, reset }) {
  const subject = h("input", { name: "subject", maxLength: 150, autocomplete: "off", dir: "auto", oninput: told });
  const text = h("textarea", { name: "text", rows: 6, dir: "auto", spellcheck: true, oninput: told });
  const subjectField = field("Subject", subject);
  const textField = field("Text", text);
  const chips = h("div", { class: "field-chips", role: "group", "aria-label": "Put a field in" });
  const length = h("p", { class: "length small", "aria-live": "polite" });
  const meter = h("span", { class: "length-meter", "aria-hidden": "true" });
  const notes = h("ul", { class: "notes", "aria-live": "polite" });
  const put = h("button", { type: "submit", class: "button primary" }, "Save");
  const ours = h("button", { type: "button", class: "button quiet", onclick: () => void reset() }, icon("undo"), "Use the standard text");
  const status = h("p", { class: "small muted editor-status", role: "status" });
  const form = h("form", { class: "card stack editor" }, subjectField, textField, chips, h("div", { class: "length-row" }, meter, length), notes, faultLine(),
    h("div", { class: "row editor-actions" }, put, ours, status));
  onSend(form, save);
  /** @type {HTMLInputElement|HTMLTextAreaElement} */
  let last = text;
  subject.addEventListener("focus", () => (last = subject));
  text.addEventListener("focus", () => (last = text));

  function told() {
    changed(subject.value, text.value);
  }

  /** @param {string} name */
  function insert(name) {
    const into = last === subject && fields.find((each) => each.name === name)?.in_subject ? subject : text;
    if (!into.value) into.value = into.placeholder;
    into.focus();
    into.setRangeText(`{${name}}`, into.selectionStart ?? into.value.length, into.selectionEnd ?? into.value.length, "end");
    into.dispatchEvent(new Event("input", { bubbles: true }));
  }

  /** @param {Preview} preview @param {string} channel */
  function showLength({ length: counted }, channel) {
    meter.hidden = length.hidden = channel !== "sms" || !counted;
    if (!counted) return;
    const most = counted.units + counted.room;
    meter.style.setProperty("--full", String(counted.units / most));
    meter.dataset.over = String(counted.segments > 1);
    say(length, counted.segments > 1
      ? `${counted.segments} messages, ${counted.units} of ${most} characters`
      : `1 message, ${counted.room} of ${most} characters left`);
    length.title = counted.encoding === "GSM-7" ? "In the SMS alphabet" : "With characters outside the SMS alphabet";
  }

  return {
    node: form,
    /** @param {string} channel @param {Wording|undefined} own what is kept @param {Wording|undefined} ours_ what goes out without it @param {{subject: string, text: string}} draft */
    open(channel, own, ours_, draft) {
      subjectField.hidden = channel !== "email";
      subject.value = draft.subject;
      text.value = draft.text;
      subject.placeholder = ours_?.subject ?? "";
      text.placeholder = ours_?.text ?? "Write what the message should say.";
      text.rows = channel === "email" ? 11 : 5;
      text.maxLength = longest[channel];
      fill(chips, ...fields.filter((each) => each.channels.includes(channel)).map((each) =>
        h("button", { type: "button", class: "field-chip", title: each.means, onclick: () => insert(each.name) }, `{${each.name}}`, h("span", { class: "sr-only" }, `: ${each.means}`))));
      ours.hidden = !own;
      last = text;
    },
    /** @param {Preview} preview @param {string} channel */
    show(preview, channel) {
      showLength(preview, channel);
      fill(notes, ...preview.warnings.map((words) => h("li", {}, icon("bell"), words)));
    },
    /** @param {boolean} unsaved @param {string} words */
    mark(unsaved, words) {
      put.disabled = !unsaved;
      say(status, words);
    },
    form,
    text,
  };
}
