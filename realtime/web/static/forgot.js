// @ts-check
/** Asks for a link that sets a new password. The answer never tells whether the address is known. */

import { fill, h } from "./counter/dom.js";
import { fault, onSend } from "./counter/forms.js";
import { byId } from "./page.js";
import { call } from "./session.js";

const form = byId("forgot-form", HTMLFormElement);

onSend(form, async () => {
  const email = String(new FormData(form).get("email")).trim();
  if (!email) throw fault("email", "Type your e-mail address.");
  await call("POST", "/v1/password/forgot", { email });
  const words = h("p", { role: "status", tabIndex: -1, class: "notice", "data-tone": "info" });
  form.replaceChildren(words);
  fill(words, h("span", {}, "If there is an account for ", h("bdi", {}, email), ", a mail with a link is on its way. Look in the spam folder too."));
  words.focus();
});
