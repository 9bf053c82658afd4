// @ts-check
/** Sign in, then on to where the owner wanted to go. */

import { faults, onSend } from "./counter/forms.js";
import { byId } from "./page.js";
import { call, createSession, nextPath, wasSignedIn, wasSignedOut } from "./session.js";

const form = byId("signin-form", HTMLFormElement);
const session = createSession({ onLost: () => {} });

byId("signed-out").hidden = !wasSignedOut();

onSend(form, async () => {
  const given = new FormData(form);
  const [email, password] = [String(given.get("email")).trim(), String(given.get("password"))];
  const missing = [];
  if (!email) missing.push({ field: "email", detail: "Type your e-mail address." });
  if (!password) missing.push({ field: "password", detail: "Type your password." });
  if (missing.length) throw faults(missing);
  session.adopt(await call("POST", "/v1/login", { email, password }));
  location.replace(nextPath("/counter"));
});

if (wasSignedIn()) {
  session.start().then((signedIn) => signedIn && location.replace(nextPath("/counter")), () => {});
}
