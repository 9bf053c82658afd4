// @ts-check
/** The tokens with which an account's programs use the message queue and the job service: made, shown once, revoked. */

import { fill, h, icon } from "./counter/dom.js";
import { check, fault, faultLine, field, onSend } from "./counter/forms.js";
import { say } from "./page.js";

/** @typedef {{id: string, name: string, scopes: string[], created_ms: number}} Token */
/** @typedef {(method: string, path: string, body?: unknown) => Promise<any>} Api */

const WORDS = { publish: "publishes", consume: "consumes", jobs: "gives jobs", schedules: "keeps schedules" };

/** @param {Api} api @param {Token[]} tokens */
export function tokensView(api, tokens) {
  const list = h("ul", { class: "token-list" });
  const made = h("div", { class: "stack", role: "status" });
  const draw = async () => show(await api("GET", "/v1/tokens"));

  /** @param {Token[]} all */
  function show(all) {
    fill(list, ...all.map((token) => row(api, token, draw)));
    list.hidden = !all.length;
  }

  show(tokens);
  return h("section", { class: "card stack" },
    h("h2", {}, "Programs"),
    h("p", { class: "muted" }, "With a token of its own, a program of yours can send and receive messages here, or give this server jobs to do. ", h("a", { href: "/docs" }, "How that works"), "."),
    list,
    made,
    newToken(api, made, draw));
}

/** @param {Api} api @param {HTMLElement} made @param {() => Promise<void>} draw */
function newToken(api, made, draw) {
  const name = h("input", { name: "name", autocomplete: "off", maxLength: 80 });
  const scopes = [
    check("Publish messages", { name: "publish", checked: true }),
    check("Consume messages", { name: "consume", checked: true }),
    check("Give this server jobs and see how they went", { name: "jobs" }),
    check("Keep schedules by which messages and jobs are put in", { name: "schedules" }),
  ];
  const form = h("form", { class: "stack" },
    field("What is it for?", name, { hint: "Such as “Kitchen printer”." }), ...scopes, faultLine(), h("button", { type: "submit", class: "button primary" }, "Make the token"));
  const details = h("details", { class: "account-change" }, h("summary", {}, "Make a token", icon("down")), form);
  onSend(form, async () => {
    const chosen = [.../** @type {NodeListOf<HTMLInputElement>} */ (form.querySelectorAll("input[type=checkbox]:checked"))].map((box) => box.name);
    if (!name.value.trim()) throw fault("name", "Give it a name, so that you know it again.");
    if (!chosen.length) throw fault("", "Choose what the program may do.");
    const { token } = await api("POST", "/v1/tokens", { name: name.value.trim(), scopes: chosen });
    fill(made, ...secret(token));
    name.value = "";
    details.open = false;
    await draw();
    made.querySelector("button")?.focus();
  });
  return details;
}

/** @param {string} token */
function secret(token) {
  const copy = h("button", { type: "button", class: "button", onclick: () => void copied() }, "Copy");
  const copied = async () => {
    await navigator.clipboard.writeText(token);
    copy.textContent = "Copied";
  };
  return [h("p", {}, "Copy this token now. It is not shown again."), h("div", { class: "row token-secret" }, h("code", {}, token), copy)];
}

/** @param {Api} api @param {Token} token @param {() => Promise<void>} draw */
function row(api, token, draw) {
  const made = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" }).format(token.created_ms);
  const may = token.scopes.map((scope) => WORDS[/** @type {keyof typeof WORDS} */ (scope)]).join(", ");
  const revoke = h("button", { type: "button", class: "button small-button", onclick: () => void ask() }, "Revoke");
  const trouble = h("p", { class: "error", role: "alert" });
  let sure = false;
  async function ask() {
    if (!sure) {
      sure = true;
      revoke.textContent = "Revoke it now";
      return;
    }
    try {
      await api("DELETE", `/v1/tokens/${token.id}`);
      await draw();
    } catch (problem) {
      revoke.textContent = "Revoke";
      sure = false;
      say(trouble, problem instanceof Error ? problem.message : String(problem));
    }
  }
  return h("li", {}, h("div", {}, h("bdi", { class: "strong" }, token.name), h("p", { class: "small muted" }, `${may}, since ${made}`), trouble), revoke);
}
