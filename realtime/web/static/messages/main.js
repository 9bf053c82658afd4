// @ts-check
/** The page of the texts for guests: one moment, one channel, one language at a time; what is written is seen at once as a guest would see it. */

import { fill, h, icon } from "../counter/dom.js";
import { byId, say } from "../page.js";
import { createSession } from "../session.js";
import { createEditor } from "./editor.js";
import { languagesView } from "./languages.js";
import { bubble, letter } from "./shown.js";
import { createTry } from "./try.js";

/**
 * @typedef {import("./editor.js").Wording} Wording
 * @typedef {import("./editor.js").Preview} Preview
 * @typedef {{language: string, fields: import("./editor.js").Field[], ours: Wording[], own: Wording[], longest: Record<string, number>, store: string, email: string, confirmed: boolean, can_mail: boolean, can_text: boolean, captures: boolean}} Wordings
 */

/** Each with the sign of the state that it tells of; almost is none, and has a clock. */
const MOMENTS = /** @type {const} */ ({ joined: ["They join", "The place in line is theirs.", "waiting"], almost: ["Almost their turn", "Time to come back.", ""], called: ["Their turn", "Where to go, now.", "called"] });
const CHANNELS = { sms: "Text message", email: "E-mail" };
const PREVIEW_MS = 150;
const session = createSession();
const words = byId("messages-words");
const root = byId("messages");

async function start() {
  try {
    run(await session.api("GET", "/v1/wordings"));
  } catch (problem) {
    say(words, problem instanceof Error ? problem.message : String(problem));
  }
}

/** @param {Wordings} known */
function run(known) {
  say(words, "What they are told, and when. Where you write nothing, they get the standard text, in their language.");
  const chosen = { moment: "called", channel: known.can_text || !known.can_mail ? "sms" : "email", language: known.language };
  /** What is written and not saved. @type {Map<string, {subject: string, text: string}>} */
  const drafts = new Map();
  const added = new Set();
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  let timer;
  let asked = 0;
  const key = () => `${chosen.moment} ${chosen.channel} ${chosen.language}`;
  /** @param {Wording[]} texts @param {string} [language] */
  const find = (texts, language = chosen.language) => texts.find((each) => each.moment === chosen.moment && each.channel === chosen.channel && each.language === language);
  const draft = () => drafts.get(key()) ?? { subject: find(known.own)?.subject ?? "", text: find(known.own)?.text ?? "" };
  const body = () => ({ ...chosen, ...draft(), ...(chosen.channel === "sms" ? { subject: "" } : {}) });

  const editor = createEditor({ fields: known.fields, longest: known.longest, changed, save, reset });
  const tests = createTry(known, async (phone) => {
    await session.api("POST", "/v1/wordings/test", { ...body(), phone });
  });
  const languages = languagesView({
    tags: () => [...new Set([...known.ours, ...known.own].map((each) => each.language)), ...added].filter((tag, at, all) => all.indexOf(tag) === at),
    own: (tag) => Boolean(find(known.own, tag)),
    chosen: () => chosen.language,
    choose: (tag) => {
      added.add(tag);
      choose({ language: tag });
    },
    usual: () => known.language,
    setUsual: async (tag) => {
      await session.api("PUT", "/v1/wordings/language", { language: tag }).then(() => (known.language = tag), complain);
      languages.render();
      void preview();
    },
  });
  const shown = h("div", { class: "shown-message", "aria-live": "off" });
  const steps = h("div", { class: "moments", role: "radiogroup", "aria-label": "When" });
  const tabs = h("div", { class: "segments", role: "radiogroup", "aria-label": "How" });
  const unable = h("p", { class: "notice", "data-tone": "warn", hidden: true });
  fill(root,
    known.captures ? h("p", { class: "notice capture-note", "data-tone": "info" }, h("span", {}, "Nothing leaves: messages are kept in the ", h("a", { href: "/outbox" }, "outbox"), ".")) : null,
    steps,
    h("div", { class: "messages-bar" }, tabs, languages.chips),
    unable,
    h("div", { class: "messages-work" },
      h("div", { class: "messages-write" }, editor.node),
      h("section", { class: "messages-see", "aria-label": "Preview" }, shown),
      h("div", { class: "card messages-try" }, tests.node),
      h("div", { class: "messages-usual" }, languages.usual)));

  /** @param {Partial<typeof chosen>} change */
  function choose(change) {
    Object.assign(chosen, change);
    draw();
  }

  function draw() {
    fill(steps, ...Object.entries(MOMENTS).map(([moment, [name, hint, state]]) => h("label", { class: "choice moment" },
      h("input", { type: "radio", name: "moment", value: moment, checked: moment === chosen.moment, onchange: () => choose({ moment }) }),
      h("span", { class: "choice-body" }, h("span", { class: "moment-words" }, h("span", { class: "strong moment-name" }, state ? h("span", { class: "shape", "data-state": state, "aria-hidden": "true" }) : icon("clock"), name), h("span", { class: "small muted" }, hint))))));
    fill(tabs, ...Object.entries(CHANNELS).map(([channel, name]) => h("label", { class: "segment" },
      h("input", { type: "radio", name: "channel", value: channel, checked: channel === chosen.channel, onchange: () => choose({ channel }) }), h("span", {}, name))));
    languages.render();
    const able = chosen.channel === "sms" ? known.can_text : known.can_mail;
    unable.hidden = able;
    say(unable, `This server cannot send ${chosen.channel === "sms" ? "text messages" : "e-mail"} yet. What you write here is kept until it can.`);
    editor.open(chosen.channel, find(known.own), find(known.ours) ?? find(known.ours, known.language) ?? find(known.ours, "en"), draft());
    tests.open(chosen.channel);
    refocus();
    mark();
    void preview();
  }

  /** A choice that was just made keeps the focus, though its buttons are new. */
  let focus = "";
  root.addEventListener("change", ({ target }) => {
    const { name } = /** @type {HTMLInputElement} */ (target);
    focus = name;
    refocus();
  });
  function refocus() {
    if (!focus || !["moment", "channel"].includes(focus)) return;
    /** @type {HTMLElement|null} */ (root.querySelector(`input[name="${focus}"]:checked`))?.focus({ preventScroll: true });
    focus = "";
  }

  /** @param {string} subject @param {string} text */
  function changed(subject, text) {
    const own = find(known.own);
    if (subject === (own?.subject ?? "") && text === (own?.text ?? "")) drafts.delete(key());
    else drafts.set(key(), { subject, text });
    mark();
    clearTimeout(timer);
    timer = setTimeout(() => void preview(), PREVIEW_MS);
  }

  function mark(done = "") {
    const unsaved = drafts.has(key());
    editor.mark(unsaved, done || (unsaved ? "Not saved yet." : find(known.own) ? "Guests get your text." : "Guests get the standard text."));
  }

  async function preview() {
    clearTimeout(timer);
    const mine = (asked += 1);
    try {
      const seen = /** @type {Preview} */ (await session.api("POST", "/v1/wordings/preview", body()));
      if (mine !== asked) return;
      see(seen);
    } catch (problem) {
      if (mine !== asked) return;
      wrong(problem);
    }
  }

  /** @param {Preview} seen */
  function see(seen) {
    for (const line of editor.form.querySelectorAll(".error")) line.textContent = "";
    for (const control of editor.form.querySelectorAll("[aria-invalid]")) control.removeAttribute("aria-invalid");
    fill(shown, chosen.channel === "sms" ? bubble(known.store, seen.text) : letter({ about: "To Ann · now", subject: seen.subject, text: seen.text, html: seen.html }));
    shown.classList.remove("stale");
    editor.show(seen, chosen.channel);
  }

  /** What cannot be sent is said beside the text, without taking the focus away from it. @param {unknown} problem */
  function wrong(problem) {
    shown.classList.add("stale");
    const { field: path, message } = /** @type {import("../session.js").Problem} */ (problem);
    const control = editor.form.querySelector(`[name="${path === "subject" ? "subject" : "text"}"]`);
    const line = control && document.getElementById(`${control.id}-error`);
    if (!line) return;
    control.setAttribute("aria-invalid", "true");
    line.textContent = message;
  }

  async function save() {
    const { subject, text } = draft();
    if (!subject.trim() && !text.trim()) return reset();
    const full = text.trim() ? text : editor.text.placeholder;
    const kept = await session.api("PUT", "/v1/wordings", { ...chosen, text: full, subject: chosen.channel === "email" ? subject : "" });
    known.own = [...known.own.filter((each) => each !== find(known.own)), kept];
    drafts.delete(key());
    draw();
    mark("Saved. Guests are told this from now on.");
  }

  async function reset() {
    try {
      const query = new URLSearchParams(chosen);
      await session.api("DELETE", `/v1/wordings?${query}`);
      known.own = known.own.filter((each) => each !== find(known.own));
      drafts.delete(key());
      draw();
      mark("Guests get the standard text again.");
    } catch (problem) {
      complain(problem);
    }
  }

  /** @param {unknown} problem */
  function complain(problem) {
    mark(problem instanceof Error ? problem.message : String(problem));
  }

  addEventListener("beforeunload", (event) => {
    if (drafts.size) event.preventDefault();
  });
  draw();
}

void start();
