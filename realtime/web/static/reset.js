// @ts-check
/** Sets a new password with the secret of a mailed link, which leaves the address bar first. */

import { fill, h } from "./counter/dom.js";
import { fault, onSend } from "./counter/forms.js";
import { byId, say } from "./page.js";
import { takeSecret } from "./secret.js";
import { Problem, call } from "./session.js";

const token = takeSecret();
const form = byId("reset-form", HTMLFormElement);

function spent() {
  say(byId("reset-title"), "This link does not work");
  fill(form, h("p", { role: "alert", class: "notice", "data-tone": "warn" }, "This link was used already or is too old."), h("a", { class: "button primary big wide", href: "/forgot" }, "Ask for a new link"));
}

if (!token) spent();
onSend(form, async () => {
  const password = String(new FormData(form).get("password"));
  if (password.length < 8) throw fault("password", "Use at least 8 characters.");
  try {
    await call("POST", "/v1/password/reset", { token, password });
  } catch (problem) {
    if (problem instanceof Problem && problem.code === "link_expired") return spent();
    throw problem;
  }
  say(byId("reset-title"), "All set");
  fill(form, h("p", { role: "status", class: "notice", "data-tone": "info" }, "Your new password is set. All other devices are signed out."), h("a", { class: "button primary big wide", href: "/signin" }, "Sign in"));
});
