// @ts-check
/** Sending a text to oneself: a mail to the owner's address, a text message to a phone they type. */

import { h } from "../counter/dom.js";
import { fault, faultLine, field, onSend } from "../counter/forms.js";
import { say } from "../page.js";

const PHONE = "nowserving_test_phone";

/**
 * @param {{email: string, captures: boolean}} account
 * @param {(phone: string) => Promise<void>} send
 */
export function createTry(account, send) {
  const phone = h("input", { name: "phone", type: "tel", autocomplete: "tel", maxLength: 32, value: localStorage.getItem(PHONE) ?? "" });
  const phoneField = field("Your phone", phone, { hint: "Best with its country code, such as +49 30 901820." });
  const where = h("p", { class: "muted" });
  const done = h("p", { class: "hint", role: "status" });
  const form = h("form", { class: "stack try" }, h("h2", {}, "Send a test to me"), where, phoneField, faultLine(), h("button", { type: "submit", class: "button" }, "Send it"), done);
  let channel = "sms";
  onSend(form, async () => {
    say(done, "");
    if (channel === "sms" && !phone.value.trim()) throw fault("phone", "Type your phone number.");
    await send(channel === "sms" ? phone.value.trim() : "");
    if (channel === "sms") localStorage.setItem(PHONE, phone.value.trim());
    if (!account.captures) return say(done, "It is on its way.");
    done.replaceChildren("It is in the ", h("a", { href: "/outbox" }, "outbox"), ".");
  });
  return {
    node: form,
    /** @param {string} chosen */
    open(chosen) {
      channel = chosen;
      phoneField.hidden = chosen !== "sms";
      where.replaceChildren(...(chosen === "sms" ? ["As a guest would get it, saved or not."] : ["It goes to ", h("bdi", { class: "strong" }, account.email), ", saved or not."]));
      say(done, "");
    },
  };
}
