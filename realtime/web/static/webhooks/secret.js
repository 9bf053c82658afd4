// @ts-check
/** What a webhook's events are checked with: shown on demand, copied, and exchanged without a gap, for one of the other kind too. */

import { fill, h } from "../counter/dom.js";
import { copyButton } from "../counter/copy.js";
import { say } from "../page.js";
import { at, sentence } from "./words.js";

const CALM_MS = 5000;

/**
 * @typedef {"hmac"|"ed25519"} Signing
 * @typedef {{secret: string, public_key: string}} Keys
 * @typedef {Keys & {signing: Signing, old_secret_until_ms: number}} Secret
 * @param {import("./words.js").Api} api @param {string} path the webhook's own
 * @param {Signing} signing @param {boolean} pairs whether this server can sign with key pairs
 */
export function secretView(api, path, signing, pairs) {
  const title = h("h3", {});
  const shown = h("div", { class: "stack" });
  const trouble = h("p", { class: "error", role: "alert" });
  const reveal = h("button", { type: "button", class: "button small-button", onclick: () => void show("GET", "/secret") });
  const rotate = sure("Exchange it", "Exchange it now", () => show("POST", "/rotate"));
  const other = sure("", "Exchange it now", () => show("POST", "/rotate", { signing: known === "hmac" ? "ed25519" : "hmac" }));
  const note = h("p", { class: "hint", role: "status" });
  let known = signing;

  /** @param {string} method @param {string} end @param {object} [body] */
  async function show(method, end, body) {
    try {
      /** @type {Secret} */
      const found = await api(method, path + end, body);
      fill(shown, given(found));
      name(found.signing);
      reveal.hidden = true;
      say(note, found.old_secret_until_ms ? `The one before signs too until ${at(found.old_secret_until_ms)}, so nothing is lost while you put in the new one.` : "");
      say(trouble, "");
    } catch (problem) {
      say(trouble, sentence(problem));
    }
  }

  /** @param {Signing} now */
  function name(now) {
    known = now;
    const secret = now === "hmac";
    say(title, secret ? "Secret" : "Public key");
    say(reveal, secret ? "Show the secret" : "Show the public key");
    other.rename(secret ? "Use a key pair instead" : "Use a secret instead");
    other.node.hidden = secret && !pairs;
  }

  name(signing);
  return h("div", { class: "stack secret-part" }, title, h("p", { class: "muted small" }, "Your program checks with it that an event comes from here."), shown, h("div", { class: "row" }, reveal, rotate.node, other.node), note, trouble);
}

/** A button that asks once more. @param {string} words @param {string} again @param {() => Promise<void>} act */
function sure(words, again, act) {
  const node = h("button", { type: "button", class: "button small-button", onclick: () => void press() }, words);
  let calm = words;
  let timer = 0;

  async function press() {
    window.clearTimeout(timer);
    if (node.dataset.sure) {
      rename(calm);
      await act();
      return;
    }
    node.dataset.sure = "yes";
    node.textContent = again;
    timer = window.setTimeout(() => rename(calm), CALM_MS);
  }

  /** @param {string} next */
  function rename(next) {
    calm = next;
    delete node.dataset.sure;
    node.textContent = next;
  }

  return { node, rename };
}

/** What the receiver puts in, to be copied. @param {Keys} keys */
export function given(keys) {
  const words = keys.secret || keys.public_key;
  return h("div", { class: "row token-secret" }, h("code", {}, words), copyButton(words, "Copy"));
}
